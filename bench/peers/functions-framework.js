import { http } from '@google-cloud/functions-framework';
import { answerOf } from './hello.js';

http('hello', (request, response) => {
  response.status(201).json(answerOf(request.body));
});
