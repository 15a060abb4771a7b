exports.main = (context, { value }) => value;
