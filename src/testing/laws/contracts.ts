/** Laws 13 and 14: contracts that differ, payloads that do not fit, and addresses that do not answer. */
import { Duration, Effect, type Layer, Schema, type Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Model from "../../Model.ts"
import * as ServiceError from "../../ServiceError.ts"
import { Probe } from "../Probe.ts"
import * as Expect from "./expect.ts"
import { type Law, lawsOf, type Place } from "./law.ts"
import * as Sightings from "./sightings.ts"

const contract = lawsOf(13)
const address = lawsOf(14)

const key = "chorale/testing/Probe"

/** `Probe` as another version declares it: a field of another type, another result, a stream, a method of its own. */
class Changed extends Model.Service<Changed>()(key, [
  Rpc.make("greet", {
    payload: { id: Schema.String, name: Schema.Struct({ first: Schema.String }) },
    success: Schema.String
  })
]) {}
class ChangedResult extends Model.Service<ChangedResult>()(key, [
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Struct({ value: Schema.Int }) })
]) {}
class Added extends Model.Service<Added>()(key, [Rpc.make("vanished", { success: Schema.String })]) {}
class Streaming extends Model.Service<Streaming>()(key, [
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int, stream: true })
]) {}

/** `Probe` as a compatible version declares it: with a field and a method more, neither of which has to be used. */
class Evolved extends Model.Service<Evolved>()(key, [
  Rpc.make("greet", {
    payload: { id: Schema.String, name: Schema.NonEmptyString, title: Schema.optionalKey(Schema.String) },
    success: Schema.String
  }),
  Rpc.make("later", { success: Schema.String })
]) {}

/** `Probe` as a caller declares it that checks less. */
class Lax extends Model.Service<Lax>()(key, [
  Rpc.make("greet", { payload: { id: Schema.String, name: Schema.String }, success: Schema.String })
]) {}

/** Calls a service through a layer of its own, which is released afterwards. */
const through = <Self, Shape, A, E>(
  service: Effect.Effect<Shape, never, Self>,
  layer: Layer.Layer<Self, unknown>,
  use: (service: Shape) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, unknown, Scope.Scope> => Effect.provide(Effect.flatMap(service, use), layer)

const mismatch = Effect.fnUntraced(function*<A, E, R>(method: string, call: Effect.Effect<A, E, R>) {
  const error: unknown = yield* Expect.endsSoon("ContractMismatch")(Expect.failureOf(call, "ContractMismatch"))
  yield* Expect.reasonOf(Effect.fail(error), "ContractMismatch")
  const named = error instanceof ServiceError.ServiceError ? `${error.service}.${error.method}` : ""
  yield* Expect.same(`${key}.${method}`, named, "the method that the error names")
})

const refusesChangedPayload = ({ location }: Place) =>
  Effect.flatMap(
    Expect.newId,
    (id) =>
      through(
        Changed,
        location.connect(Changed),
        (probe) => mismatch("greet", probe.greet({ id, name: { first: "x" } }))
      )
  )

const refusesChangedResult = ({ location }: Place) =>
  through(ChangedResult, location.connect(ChangedResult), (probe) => mismatch("double", probe.double({ n: 1 })))

const refusesUnknownMethod = ({ location }: Place) =>
  through(Added, location.connect(Added), (probe) => mismatch("vanished", probe.vanished()))

const refusesStream = ({ location }: Place) =>
  through(
    Streaming,
    location.connect(Streaming),
    (probe) => mismatch("double", Stream.runDrain(probe.double({ n: 1 })))
  )

const takesEvolved = Effect.fnUntraced(function*({ location }: Place) {
  const id = yield* Expect.newId
  yield* through(Evolved, location.connect(Evolved), (probe) =>
    Effect.gen(function*() {
      const known = yield* Expect.endsSoon("the answer")(probe.greet({ id, name: "x" }))
      yield* Expect.same("hello x", known, "the answer to a caller of a newer contract")
      const added = yield* Expect.endsSoon("the answer")(probe.greet({ id, name: "x", title: "Dr" }))
      yield* Expect.same("hello x", added, "the answer to a payload with a field that the replica does not know")
    }))
})

const goesOnBeside = Effect.fnUntraced(function*(place: Place) {
  yield* Effect.exit(refusesUnknownMethod(place))
  yield* Expect.stillAnswers(place)
})

const refusesPayload = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const reason = yield* Expect.reasonOf(place.probe.greet({ id, name: "" }), "InvalidPayload")
  yield* Expect.holds(reason.message.includes("name"), "a message that names the field", reason.message)
  yield* Expect.reasonOf(Stream.runDrain(place.probe.count({ id, to: 0.5 })), "InvalidPayload")
  const { events } = yield* Sightings.all(place, id)
  yield* Expect.same([], events, "what the handler has seen of a payload that does not fit")
})

/** The caller's contract lets it pass: the replica refuses it, as a payload or as a contract that differs. */
const refusesPayloadThere = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  yield* through(Lax, place.location.connect(Lax), (probe) => {
    const call = Expect.endsSoon("the refusal")(Expect.failureOf(probe.greet({ id, name: "" }), "InvalidPayload"))
    return Effect.flatMap(call, (error) =>
      Effect.catchTag(
        Expect.reasonOf(Effect.fail(error), "InvalidPayload"),
        "Broken",
        () => Expect.reasonOf(Effect.fail(error), "ContractMismatch")
      ))
  })
  const { events } = yield* Sightings.all(place, id)
  yield* Expect.same([], events, "what the handler has seen of a payload that does not fit")
})

/** Ten seconds are more than any connect timeout that a caller would wait for. */
const patience = Duration.seconds(10)

const isUnavailable = (which: "refusing" | "silent") => ({ location }: Place) => {
  const connect = location[which] ?? location.connect
  return through(
    Probe,
    connect(Probe),
    (probe) => Expect.endsSoon("Unavailable", patience)(Expect.reasonOf(probe.double({ n: 1 }), "Unavailable"))
  )
}

export const laws: ReadonlyArray<Law> = [
  contract("a payload of another type is ContractMismatch, naming the method", refusesChangedPayload, ["skew"]),
  contract("a result of another type is ContractMismatch, naming the method", refusesChangedResult, ["skew"]),
  contract("a method that the replica lacks is ContractMismatch, naming the method", refusesUnknownMethod, ["skew"]),
  contract("a stream where the replica has none is ContractMismatch, naming the method", refusesStream, ["skew"]),
  contract("a contract with an optional field and a method more is served", takesEvolved, ["skew"]),
  contract("a caller with another contract disturbs no other", goesOnBeside, ["skew"]),
  contract("a payload that does not fit is InvalidPayload before its handler starts", refusesPayload),
  contract("a payload that only the replica refuses does not reach its handler", refusesPayloadThere, ["skew"]),
  address("an address where nothing listens is Unavailable", isUnavailable("refusing"), ["refusing"]),
  address("an address that says nothing is Unavailable", isUnavailable("silent"), ["silent"])
]
