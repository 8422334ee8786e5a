/**
 * Several models for one answer: combinators over effects, typed by the names of the members.
 *
 * An ensemble is a record of effects, most often calls of services, and a rule
 * for what becomes of their answers. Its members run at the same time, without
 * a limit and without being asked to: where only some may run at once, limit
 * the services. `fallback` and `cascade` run one at a time, and `switchBy` and
 * `split` only one of them.
 *
 * Interrupting an ensemble interrupts its members. No member runs any more when
 * an ensemble has ended, so a member that takes long to stop delays the end. A
 * defect of a member is a defect of the ensemble, except in `settled`. Options
 * that make no sense, such as a quorum of more than all, are defects too.
 *
 * @since 0.2.0
 */
export { type Agreement, NoQuorum } from "./ensemble/agreement.ts"
export * from "./ensemble/all.ts"
export * from "./ensemble/cascade.ts"
export * from "./ensemble/fallback.ts"
export * from "./ensemble/first.ts"
export * from "./ensemble/hedge.ts"
export * from "./ensemble/mean.ts"
export type {
  Answers,
  Error,
  Errors,
  Exits,
  Members,
  Name,
  NonEmpty,
  Outcomes,
  Services,
  Success
} from "./ensemble/members.ts"
export * from "./ensemble/mirror.ts"
export * from "./ensemble/quorum.ts"
export * from "./ensemble/split.ts"
export * from "./ensemble/switchBy.ts"
export * from "./ensemble/vote.ts"
export type { Weights } from "./ensemble/weights.ts"
