import type { Config } from '../config/load.ts';
import { LocalStorage } from './local/local-storage.ts';
import type { PackageStorage } from './package-storage.ts';

/** The package storage that the configuration names. */
export function createPackageStorage({ fileSystemDir }: Config['storage']): PackageStorage {
  return new LocalStorage(fileSystemDir);
}
