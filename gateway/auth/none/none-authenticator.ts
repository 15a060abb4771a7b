import { ANYBODY, type Identity } from '../access.ts';
import type { Authenticator } from '../authenticator.ts';

/** Asks for nothing and believes nothing: whatever a request says of its sender, it is everybody. */
export class NoneAuthenticator implements Authenticator {
  readonly challenge = '';

  authenticate(): Identity {
    return ANYBODY;
  }

  reload(): void {}

  close(): void {}
}
