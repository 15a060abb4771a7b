# Greets: input {"name": "..."}.
def main(input)
  "Hello, #{(input || {})['name'] || 'World'}!"
end
