/** How many bytes the bodies of all requests together may have. Small bodies are not counted: the calls bound them. */
import { ByteSize } from "effect"
import * as Answer from "./answer.ts"

export class BodyBudget {
  readonly #limit: number
  #taken = 0

  constructor(limit: ByteSize.ByteSize) {
    this.#limit = ByteSize.toNumberUnsafe(limit)
  }

  /** Whether a body of that length is counted. */
  counts(length: number): boolean {
    return length > uncounted
  }

  /** Whether there was room for so many bytes, which are then taken until they are given back. */
  take(length: number): boolean {
    if (this.#taken + length > this.#limit) return false
    this.#taken += length
    return true
  }

  give(length: number): void {
    this.#taken -= length
  }
}

const uncounted = 1024 * 1024

export const exhausted = Answer.failure(
  429,
  "Overloaded",
  "the bodies of the requests that run leave no room for one more of this size",
  { "retry-after": "1" }
)
