import Fastify from 'fastify';
import { answerOf } from './hello.js';

const app = Fastify();
app.post('/v1/executions', (request, reply) => {
  reply.code(201).send(answerOf(request.body));
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
