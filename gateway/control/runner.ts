import type { Call, CallRequest } from '../invoke/call.ts';
import type { Invoker } from '../invoke/invoker.ts';
import type { ImageCalls } from './image-calls.ts';

/** Runs what is called, each kind of target on its own road. */
export class Runner {
  readonly #invoker: Invoker;
  /** Undefined where no image can be run. */
  readonly images: ImageCalls | undefined;

  constructor(invoker: Invoker, images?: ImageCalls) {
    this.#invoker = invoker;
    this.images = images;
  }

  /** Hot. As Invoker.invoke. */
  invoke(request: CallRequest): Call {
    if (request.target.image === null || this.images === undefined) return this.#invoker.invoke(request);
    return this.images.invoke(request);
  }
}
