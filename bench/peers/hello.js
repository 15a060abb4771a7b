/** The hello function, as every peer in JavaScript has it: the name is in the JSON text `input` of the JSON body. */
export function helloOf({ input }) {
  return `Hello, ${JSON.parse(input).name}`;
}

/** The answer with its padding: JSON of as many bytes as the product's own answer has. */
export function answerOf(body) {
  const answer = { result: helloOf(body), padding: '' };
  const missing = Number(process.env.ANSWER_BYTES) - JSON.stringify(answer).length;
  answer.padding = 'x'.repeat(Math.max(0, missing));
  return answer;
}
