using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "hello", worker = .hello)],
  sockets = [(name = "http", http = (), service = "hello")],
);

const hello :Workerd.Worker = (
  modules = [
    (name = "workerd.js", esModule = embed "workerd.js"),
    (name = "hello.js", esModule = embed "hello.js"),
  ],
  compatibilityDate = "2025-01-01",
  bindings = [(name = "ANSWER_BYTES", fromEnvironment = "ANSWER_BYTES")],
);
