import sys

print('printed by the import')
sys.stdout.flush()
import nothing_there
