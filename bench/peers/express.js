import express from 'express';
import { answerOf } from './hello.js';

const app = express();
app.disable('x-powered-by');
app.use(express.json());
app.post('/v1/executions', (request, response) => {
  response.status(201).json(answerOf(request.body));
});
app.listen(Number(process.env.PORT), '127.0.0.1');
