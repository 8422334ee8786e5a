/** Whether two types are the same one, not only assignable to each other. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles only when `Holds` is `true`. */
export type Expect<Holds extends true> = Holds
