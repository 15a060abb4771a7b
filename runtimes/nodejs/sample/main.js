// Greets: input {"name": "..."}.
exports.main = (context, input) => `Hello, ${input?.name ?? 'World'}!`;
