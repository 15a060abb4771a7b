/** The bytes of a file under way: in memory where they are few, else on disk. */
export type FileSource = { readonly content: Buffer } | { readonly path: string };
