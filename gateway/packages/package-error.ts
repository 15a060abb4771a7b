import { QinlingError } from '../errors.ts';

export const NOT_A_ZIP = 'Package is not a valid ZIP package.';

/** The 400 of an archive that we do not take; `why` is a sentence, an entry's name is shortened in it. */
export function packageRefused(why: string, cause?: unknown): QinlingError {
  return new QinlingError('INVALID_INPUT', `Package is refused: ${why}`, { cause });
}
