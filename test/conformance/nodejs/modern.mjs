export async function main(context, input) {
  await Promise.resolve();
  return { context, input };
}
