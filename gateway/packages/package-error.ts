import { invalidInput, type QinlingError } from '../errors.ts';

export const NOT_A_ZIP = 'Package is not a valid ZIP package.';

/** The 400 of an archive that we do not take; `why` is a sentence, an entry's name is shortened in it. */
export function packageRefused(why: string): QinlingError {
  return invalidInput(`Package is refused: ${why}`);
}
