/** A calculation that may be paused wherever it yields. */
export type Work<A> = Generator<void, A>

/** Runs a calculation without a pause. */
export const finish = <A>(work: Work<A>): A => {
  while (true) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}
