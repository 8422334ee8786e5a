/** The mark of one item of a run that failed, while the others have results. */
export class Failed<out E> {
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

/** What a run gives for an item that did not fail. */
export type Success<B> = Exclude<B, Failed<unknown>>

/** What a run gives for an item that failed. */
export type Failure<B> = B extends Failed<infer E> ? E : never
