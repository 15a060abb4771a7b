def main(input)
  input['value']
end
