import { join } from 'node:path';
import { LocalStorage } from '../../gateway/storage/local/local-storage.ts';
import { emptyFolder } from '../support/folder.ts';
import { packageStorageContract } from './package-storage.ts';

packageStorageContract('local', (t) => new LocalStorage(join(emptyFolder(t), 'packages')));
