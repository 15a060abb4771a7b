puts 'printed by the import'
require 'nothing_there'
