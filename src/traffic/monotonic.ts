/** The time of deadlines where no fiber is at hand: one that has ended no longer knows its clock. */
import type { Clock } from "effect"

/** The milliseconds of the monotonic clock, as `Deadline.now` has them. */
export const now = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
