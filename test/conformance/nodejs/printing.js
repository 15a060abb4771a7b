console.log('printed by the import');
require('nothing_there');
