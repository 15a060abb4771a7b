import { helloOf } from './hello.js';

export default {
  async fetch(request, environment) {
    const answer = { result: helloOf(await request.json()), padding: '' };
    const missing = Number(environment.ANSWER_BYTES) - JSON.stringify(answer).length;
    answer.padding = 'x'.repeat(Math.max(0, missing));
    return Response.json(answer, { status: 201 });
  },
};
