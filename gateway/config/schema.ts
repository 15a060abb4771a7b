import type { Option } from './option.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const PORT = { type: 'integer', min: 0, max: 65_535 } as const;
const DAY_SECONDS = 86_400;

/**
 * Every option: group, name, type, default, range, help. Groups and names are those of the Python Qinling where it had
 * the option. The sample file, the checks and the type of the configuration are made from this.
 */
export const schema = {
  DEFAULT: {
    data_dir: {
      type: 'text',
      default: '',
      help: 'Folder of the database and the packages. Empty: $XDG_DATA_HOME/qinling or ~/.local/share/qinling.',
    },
    log_level: {
      type: 'choice',
      default: 'info',
      choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      help: 'Least severity that is logged (to standard error).',
    },
    qinling_endpoint: {
      type: 'text',
      default: '',
      help: 'URL at which outsiders reach the REST API, without /v1: webhook URLs begin with it. Empty: as the client that asks does.',
    },
    debug: { type: 'boolean', default: false, help: 'true: log_level is at least debug.' },
    gateway_lease: {
      type: 'integer',
      default: 15,
      min: 2,
      max: 3_600,
      help: 'Seconds without a sign of life after which a gateway counts as gone for the others on its database: its executions under way end in error, those that wait are run by the others.',
    },
    shutdown_timeout: {
      type: 'integer',
      default: 30,
      min: 0,
      max: 3_600,
      help: 'Seconds that running invocations may take when the service is told to end.',
    },
  },
  api: {
    host: {
      type: 'text',
      default: '',
      help: 'Address of the REST API. Empty: 127.0.0.1 while authentication is off, else 0.0.0.0. Without authentication anything but loopback opens it to everybody there.',
    },
    port: { ...PORT, default: 7_070, help: 'Port of the REST API; 0 lets the system choose.' },
    enable_ssl_api: {
      type: 'boolean',
      default: false,
      help: 'TLS. Not available yet: true is refused. Put a proxy that speaks TLS in front.',
    },
    enable_job_handler: {
      type: 'boolean',
      default: true,
      help: 'Run jobs when they are due. With several gateways on one database one of them is enough, more do no harm.',
    },
    max_body_bytes: {
      type: 'integer',
      default: 8 * MIB,
      min: 1_024,
      max: 32 * MIB,
      help: 'Largest JSON body, and so the largest input of an execution, in bytes.',
    },
  },
  internal: {
    host: { type: 'text', default: '127.0.0.1', help: 'Address that agents connect to and fetch packages from.' },
    port: { ...PORT, default: 7_071, help: 'Port that agents connect to; 0 lets the system choose.' },
    token: {
      type: 'text',
      default: '',
      help: 'Secret that proves the agent of this machine (orchestrator local). Empty: a new random one at every start.',
    },
  },
  pecan: {
    auth_enable: {
      type: 'boolean',
      default: false,
      help: 'Authentication of callers. true needs an [auth] type; false beside one is refused.',
    },
  },
  auth: {
    type: {
      type: 'choice',
      default: 'none',
      choices: ['none', 'static'],
      help: 'How callers prove who they are. none: not at all, everybody may do everything. static: users, passwords and tokens of a file.',
    },
    credentials_file: {
      type: 'text',
      default: '',
      help: 'File of the users of type static (YAML or JSON); docs/authentication.md tells its form.',
    },
  },
  oslo_policy: {
    policy_file: {
      type: 'text',
      default: '',
      help: 'File of rules that replace those of the same name (YAML or JSON). Empty: none. Without effect while authentication is off.',
    },
  },
  engine: {
    orchestrator: {
      type: 'choice',
      default: 'local',
      choices: ['local', 'kubernetes'],
      help: 'What makes workers. local: an agent process on this machine. kubernetes: pods of a cluster, see [kubernetes].',
    },
    function_concurrency: {
      type: 'integer',
      default: 3,
      min: 1,
      max: 64,
      help: 'Executions that one worker of a function runs at a time, each in its own process.',
    },
    function_service_expiration: {
      type: 'integer',
      default: 3_600,
      min: 1,
      max: 365 * DAY_SECONDS,
      help: 'Seconds without an execution after which a worker of a function is given back.',
    },
    max_waiting_calls: {
      type: 'integer',
      default: 10_000,
      min: 0,
      max: 1_000_000,
      help: 'Synchronous executions that may wait for a worker; one more is answered 503 with Retry-After.',
    },
    max_waiting_time: {
      type: 'integer',
      default: 60,
      min: 1,
      max: 3_600,
      help: 'Seconds that a synchronous execution may wait for a worker before it is answered 503.',
    },
    runtime_timeout: {
      type: 'integer',
      default: 600,
      min: 1,
      max: 86_400,
      help: 'Seconds after which a runtime that does not become available is in error.',
    },
    max_image_executions: {
      type: 'integer',
      default: 20,
      min: 1,
      max: 10_000,
      help: 'Image functions that run at a time, a container each; more wait for one to end.',
    },
    max_result_bytes: {
      type: 'integer',
      default: 6 * MIB,
      min: 1_024,
      max: 32 * MIB,
      help: 'Largest result of an execution in bytes of JSON; a larger one makes it fail with a text that says so.',
    },
  },
  local: {
    workers: { type: 'integer', default: 16, min: 1, max: 1_024, help: 'Workers of the agent on this machine.' },
    prewarmed: {
      type: 'integer',
      default: 2,
      min: 0,
      max: 64,
      help: 'Idle processes of each runtime that wait for a function.',
    },
    runtimes_dir: {
      type: 'text',
      default: '',
      help: 'Folder of language hosts. Empty: the runtimes/ of this program.',
    },
    search_path: {
      type: 'list',
      default: [],
      help: 'Folders to look for interpreters in before those of PATH, separated by commas.',
    },
    work_dir: {
      type: 'text',
      default: '',
      help: "Folder for the agent's sockets, unpacked packages and scratch directories. Empty: one below the system's temporary folder.",
    },
    isolation: {
      type: 'choice',
      default: 'auto',
      choices: ['auto', 'none'],
      help: 'auto: an own user and control group for every process of user code where this machine lets us. none: neither.',
    },
    docker_host: {
      type: 'text',
      default: '',
      help: 'Docker daemon that runs image functions: unix:///PATH or tcp://HOST:PORT. Empty: there are none.',
    },
    docker_network: {
      type: 'text',
      default: 'bridge',
      help: 'Docker network of image functions; `none` cuts them off.',
    },
  },
  kubernetes: {
    namespace: { type: 'text', default: 'qinling', help: 'Namespace of the workers.' },
    replicas: { type: 'integer', default: 3, min: 1, max: 1_000, help: 'Free workers that each runtime keeps ready.' },
    kube_host: {
      type: 'text',
      default: '',
      help: 'URL of the API server, or of a kubectl proxy. Empty: as a pod of the cluster, else as kubectl does (KUBECONFIG, ~/.kube/config).',
    },
    use_api_certificate: {
      type: 'boolean',
      default: true,
      help: 'Prove ourselves to an https kube_host by the three files below.',
    },
    ssl_ca_cert: {
      type: 'text',
      default: '/etc/qinling/pki/kubernetes/ca.crt',
      help: 'Certificate of the authority that the API server is known by.',
    },
    cert_file: { type: 'text', default: '/etc/qinling/pki/kubernetes/qinling.crt', help: 'Our certificate.' },
    key_file: { type: 'text', default: '/etc/qinling/pki/kubernetes/qinling.key', help: 'The key of our certificate.' },
    gateway_url: {
      type: 'text',
      default: '',
      help: 'http://HOST:PORT of our internal listener as pods reach it. Empty: the service qinling-internal of the namespace.',
    },
    agent_image: {
      type: 'text',
      default: '',
      help: 'Image of the agents (manifests/images/qinling). Empty: the one that this gateway runs from, as a pod.',
    },
    image_pull_policy: {
      type: 'choice',
      default: 'IfNotPresent',
      choices: ['Always', 'IfNotPresent', 'Never'],
      help: "When nodes pull the images of workers' pods.",
    },
    image_pull_secrets: {
      type: 'list',
      default: [],
      help: "Names of secrets that images of workers' pods are pulled with, separated by commas.",
    },
    image_function_pull_secrets: {
      type: 'list',
      default: [],
      help: 'Secrets for the images of image functions, separated by commas: whatever they open is open to every caller.',
    },
    worker_service_account: {
      type: 'text',
      default: 'qinling-worker',
      help: "Service account of the workers' pods; it needs no rights.",
    },
    node_agent_service_account: {
      type: 'text',
      default: 'qinling-node-agent',
      help: "Service account of the DaemonSet's agents; it needs no rights.",
    },
    token_audience: {
      type: 'text',
      default: 'qinling',
      help: 'Audience of the tokens that agents prove themselves by.',
    },
    untrusted_runtime_class: {
      type: 'text',
      default: '',
      help: 'RuntimeClass of the pods of runtimes that are not trusted. Empty: the usual one.',
    },
    worker_cpu: {
      type: 'integer',
      default: 50,
      min: 1,
      max: 64_000,
      help: 'CPU that a worker is sure to get, millicpu.',
    },
    worker_memory: {
      type: 'integer',
      default: 64 * MIB,
      min: 16 * MIB,
      max: 1_024 * GIB,
      help: 'Memory that a worker is sure to get, bytes.',
    },
    host_memory: {
      type: 'integer',
      default: 48 * MIB,
      min: 0,
      max: 16 * GIB,
      help: "Memory that a worker may use on top of its function's, for the language itself, bytes.",
    },
    scratch_size: {
      type: 'integer',
      default: GIB,
      min: MIB,
      max: 1_024 * GIB,
      help: 'Most bytes that the functions of one worker may keep in files.',
    },
    prewarmed: {
      type: 'integer',
      default: 2,
      min: 0,
      max: 64,
      help: 'Idle processes in each worker that wait for a function.',
    },
    network_policy: {
      type: 'boolean',
      default: true,
      help: 'Make the NetworkPolicy that lets workers reach us, names and the outside, and nothing else.',
    },
    blocked_networks: {
      type: 'list',
      default: ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
      help: 'Networks that user code may not reach by that policy, separated by commas.',
    },
  },
  storage: {
    provider: { type: 'choice', default: 'local', choices: ['local'], help: 'Where packages are kept.' },
    file_system_dir: {
      type: 'text',
      default: '',
      help: 'Folder of the packages. Empty: packages/ in the data folder.',
    },
    max_package_bytes: {
      type: 'integer',
      default: 51 * MIB,
      min: 1_024,
      max: GIB,
      help: 'Largest upload of a package in bytes.',
    },
    max_unpacked_bytes: {
      type: 'integer',
      default: 512 * MIB,
      min: 1_024,
      max: 16 * GIB,
      help: 'Most bytes that a package may unpack to.',
    },
    max_package_entries: {
      type: 'integer',
      default: 20_000,
      min: 1,
      max: 1_000_000,
      help: 'Most files and folders in a package.',
    },
  },
  resource_limits: {
    default_cpu: {
      type: 'integer',
      default: 100,
      min: 1,
      max: 1_024_000,
      help: 'CPU of a function that says nothing, millicpu.',
    },
    min_cpu: { type: 'integer', default: 100, min: 1, max: 1_024_000, help: 'Least CPU of a function, millicpu.' },
    max_cpu: { type: 'integer', default: 4_000, min: 1, max: 1_024_000, help: 'Most CPU of a function, millicpu.' },
    default_memory: {
      type: 'integer',
      default: 32 * MIB,
      min: MIB,
      max: 1_024 * GIB,
      help: 'Memory of a function that says nothing, bytes.',
    },
    min_memory: {
      type: 'integer',
      default: 32 * MIB,
      min: MIB,
      max: 1_024 * GIB,
      help: 'Least memory of a function, bytes.',
    },
    max_memory: {
      type: 'integer',
      default: 4 * GIB,
      min: MIB,
      max: 1_024 * GIB,
      help: 'Most memory of a function, bytes.',
    },
    default_timeout: {
      type: 'integer',
      default: 5,
      min: 1,
      max: DAY_SECONDS,
      help: 'Time limit of a function that says nothing, seconds.',
    },
    min_timeout: {
      type: 'integer',
      default: 1,
      min: 1,
      max: DAY_SECONDS,
      help: 'Least time limit of a function, seconds.',
    },
    max_timeout: {
      type: 'integer',
      default: 900,
      min: 1,
      max: DAY_SECONDS,
      help: 'Most time limit of a function, seconds.',
    },
  },
  database: {
    connection: {
      type: 'text',
      default: '',
      help: 'Database file, as sqlite:////absolute/path. Several gateways on one machine may share it, each with a data folder of its own and all with the same storage.file_system_dir. Empty: a file in the data folder.',
    },
    synchronous: {
      type: 'choice',
      default: 'normal',
      choices: ['normal', 'full'],
      help: 'normal: records survive a killed process. full: also a power loss, at the price of a disk flush per group of records.',
    },
  },
  executions: {
    retention_max_age: {
      type: 'integer',
      default: 30 * DAY_SECONDS,
      min: 60,
      max: 36_500 * DAY_SECONDS,
      help: 'Seconds after which the record of a finished execution is removed.',
    },
    retention_max_count: {
      type: 'integer',
      default: 1_000_000,
      min: 0,
      max: 1_000_000_000,
      help: 'Records of executions that are kept at most; the oldest finished ones go first.',
    },
  },
  webhooks: {
    rate_limit: {
      type: 'integer',
      default: 50,
      min: 0,
      max: 1_000_000,
      help: 'Calls a second that each webhook takes for long; more are answered 429 with Retry-After. 0: any number.',
    },
    rate_burst: {
      type: 'integer',
      default: 100,
      min: 1,
      max: 1_000_000,
      help: 'Calls that each webhook takes at once, on top of that rate.',
    },
  },
  cors: {
    allowed_origin: {
      type: 'list',
      default: [],
      help: 'Origins of web pages that may use the API, separated by commas; * allows every one.',
    },
  },
  oslo_middleware: {
    enable_proxy_headers_parsing: {
      type: 'boolean',
      default: false,
      help: 'Believe X-Forwarded-Proto, -Host and -Prefix: only behind a proxy that sets them.',
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Option>>>>;

/**
 * Options of the Python Qinling that have no meaning here: taken with a warning, so that its files go on working. `*`:
 * all that the group holds besides the options above.
 */
export const withoutEffect: Readonly<Record<string, readonly string[] | '*'>> = {
  DEFAULT: [
    'control_exchange',
    'default_log_levels',
    'executor_thread_pool_size',
    'fatal_deprecations',
    'instance_format',
    'instance_uuid_format',
    'log_config_append',
    'log_date_format',
    'log_dir',
    'log_file',
    'log_options',
    'log_rotate_interval',
    'log_rotate_interval_type',
    'log_rotation_type',
    'logging_context_format_string',
    'logging_debug_format_suffix',
    'logging_default_format_string',
    'logging_exception_prefix',
    'logging_user_identity_format',
    'max_logfile_count',
    'max_logfile_size_mb',
    'publish_errors',
    'rate_limit_burst',
    'rate_limit_except_level',
    'rate_limit_interval',
    'rpc_response_timeout',
    'syslog_log_facility',
    'transport_url',
    'use_eventlog',
    'use_journal',
    'use_json',
    'use_stderr',
    'use_syslog',
    'watch_log_file',
  ],
  api: ['api_workers'],
  cors: ['allow_credentials', 'allow_headers', 'allow_methods', 'expose_headers', 'max_age'],
  database: '*',
  engine: ['host', 'sidecar_image', 'topic', 'version'],
  etcd: '*',
  keystone_authtoken: '*',
  kubernetes: ['log_devel', 'trusted_cidrs'],
  oslo_concurrency: '*',
  oslo_messaging_amqp: '*',
  oslo_messaging_kafka: '*',
  oslo_messaging_notifications: '*',
  oslo_messaging_rabbit: '*',
  oslo_middleware: ['max_request_body_size', 'secure_proxy_ssl_header'],
  oslo_policy: '*',
  pecan: ['debug', 'modules', 'root'],
};
