/** What a law is, and what it is tried on. */
import { type Effect, type Layer, Schema, type Scope } from "effect"
import type { Rpc } from "effect/rpc"
import type * as Model from "../../Model.ts"
import type { Probe, Relay } from "../Probe.ts"

/**
 * The laws by number, each in a sentence.
 *
 * @category constants
 * @since 0.2.0
 */
export const statements = {
  1: "Results are equal, with dtype, shape, NaN, -0, Infinity, bigint, bytes, dates and empty arrays",
  2: "A declared error arrives as an instance of its class with all its fields, also from two hops away",
  3: "A defect arrives as a defect with its message and fails that call alone",
  4: "Interrupting the caller interrupts the handler, through every hop",
  5: "A deadline travels; what is spent is refused before any work, and waiting in a queue counts",
  6: "A stream delivers exactly its items, in order, with back-pressure; closing it stops its producer",
  7: "Calls in flight overlap, and a slow call does not delay a fast one",
  8: "A service needed twice is built once, and released after its users",
  9: "A replica that dies fails its own calls with Unavailable, no others, and comes back",
  10: "A replica that is full says so at once, with Overloaded and when to come back",
  11: "A call is one trace across every hop",
  12: "Payloads over 16 MiB pass, and a limit that is hit is a typed error",
  13: "A contract that differs is ContractMismatch, a payload that the schema refuses InvalidPayload",
  14: "An address that does not answer is Unavailable within the connect timeout"
} as const

/**
 * The number of a law.
 *
 * @category models
 * @since 0.2.0
 */
export type LawNumber = keyof typeof statements

/**
 * What calls must be able to carry for a law to be kept, each with what it means not to.
 *
 * A location of this library carries all of it. A protocol that others have defined may have no form for some: a location
 * that is `without` it breaks no law, and does not keep it either.
 *
 * @category constants
 * @since 0.3.0
 */
export const forms = {
  values: "what is no tensor has no form",
  tensors: "tensors have no form",
  numbers: "NaN, -0, the infinities and integers beyond 2^53 do not arrive as what they were",
  emptiness: "a tensor of no elements arrives without its sizes",
  checks: "a contract says of values what type they are, and nothing more",
  errors: "a declared error does not arrive as one",
  defects: "a defect does not arrive as one",
  origins: "a failure of the library arrives without the service where it began, and its time in whole seconds",
  streams: "there are no streams of items",
  deadlines: "a handler is not told of its deadline",
  traces: "a trace does not go on",
  evolution: "all that a contract has must be there when a caller connects"
} as const

/**
 * What a location must offer for a law to be tried on it, each with what it means not to.
 *
 * `kill`, `maxPayload`, `refusing` and `silent` are fields of a location. All others are there unless the location is
 * `without` them.
 *
 * @category constants
 * @since 0.2.0
 */
export const capabilities = {
  ...forms,
  encoding: "what is passed stays in this process as it is; the compiler has checked it",
  skew: "caller and replica are one program, so the compiler holds both to one contract",
  kill: "there is no replica to kill",
  maxPayload: "there is no limit on a payload",
  refusing: "there is no address",
  silent: "there is no address"
} as const

/**
 * Something that a location offers.
 *
 * @category models
 * @since 0.2.0
 */
export type Capability = keyof typeof capabilities

/**
 * Satisfies a service with a place: the layer that a caller would provide.
 *
 * @category models
 * @since 0.2.0
 */
export type Connect = <Self, Name extends string, Rpcs extends Rpc.Any>(
  service: Model.ServiceClass<Self, Name, Rpcs>
) => Layer.Layer<Self, unknown>

/**
 * A place where services run, as the laws see it.
 *
 * @category models
 * @since 0.2.0
 */
export interface Location {
  readonly name: string
  /**
   * Satisfies `Probe` or `Relay` with their implementations at this place.
   *
   * The laws also connect with other contracts of the same names, unless the location is `without` `skew`. A method that
   * the location has no form for, by what it is `without`, is not called.
   */
  readonly connect: Connect
  /** How many replicas answer, each with an implementation of its own: 1. */
  readonly replicas?: number
  /** Ends one replica without warning, such as by `place.probe.crash()`. */
  readonly kill?: (place: Place) => Effect.Effect<void, unknown>
  /** The most bytes that a payload may have. */
  readonly maxPayload?: number
  /** An address at which nothing listens. */
  readonly refusing?: Connect
  /** An address that takes a connection and says nothing. */
  readonly silent?: Connect
  /** What this location cannot be asked for, and why. */
  readonly without?: Partial<Readonly<Record<Capability, string>>>
}

/**
 * A location whose services are connected.
 *
 * @category models
 * @since 0.2.0
 */
export interface Place {
  readonly location: Location
  readonly probe: Probe["Service"]
  readonly relay: Relay["Service"]
}

/**
 * One thing that every location must keep: a check of one of the laws.
 *
 * `needs` names what the location must offer for this check. Run it with `Laws.run`, which bounds its time and says
 * how it was broken.
 *
 * @category models
 * @since 0.2.0
 */
export interface Law {
  readonly number: LawNumber
  readonly name: string
  readonly needs: ReadonlyArray<Capability>
  readonly check: (place: Place) => Effect.Effect<void, unknown, Scope.Scope>
}

/**
 * A location does not keep a law.
 *
 * @category errors
 * @since 0.2.0
 */
export class LawBroken extends Schema.TaggedError<LawBroken>()("LawBroken", {
  location: Schema.String,
  number: Schema.Int,
  law: Schema.String,
  expected: Schema.String,
  seen: Schema.String
}) {
  override get message(): string {
    return `${this.location} breaks law ${this.number}, "${this.law}": expected ${this.expected}, saw ${this.seen}`
  }
}

/** Makes the laws of one number from their names and checks. */
export const lawsOf = (number: LawNumber) =>
(
  name: string,
  check: Law["check"],
  needs: ReadonlyArray<Capability> = []
): Law => ({ number, name, needs, check })
