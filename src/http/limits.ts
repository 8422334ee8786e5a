/** What a server takes of one request. */
import { ByteSize } from "effect"

export interface Limits {
  readonly maxBodySize: ByteSize.ByteSize
  readonly maxJsonDepth: number
  readonly maxParts: number
  /** In bytes. */
  readonly maxPartSize: number
}

/** What a user may say of them; everything has a default. */
export interface Options {
  readonly maxBodySize?: ByteSize.Input | undefined
  readonly maxJsonDepth?: number | undefined
  readonly maxParts?: number | undefined
  readonly maxPartSize?: ByteSize.Input | undefined
}

export const make = (options: Options): Limits => {
  const maxBodySize = options.maxBodySize === undefined
    ? ByteSize.mebibytes(32)
    : ByteSize.fromInputUnsafe(options.maxBodySize)
  return {
    maxBodySize,
    maxJsonDepth: options.maxJsonDepth ?? 64,
    maxParts: options.maxParts ?? 64,
    maxPartSize: ByteSize.toNumberUnsafe(
      options.maxPartSize === undefined ? maxBodySize : ByteSize.fromInputUnsafe(options.maxPartSize)
    )
  }
}
