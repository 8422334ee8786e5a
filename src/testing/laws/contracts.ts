/** Laws 13 and 14: contracts that differ, payloads that do not fit, and addresses that do not answer. */
import { Duration, Effect, type Layer, Schema, type Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Model from "../../Model.ts"
import * as ServiceError from "../../ServiceError.ts"
import * as Tensor from "../../Tensor.ts"
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

/** `Probe` as a caller declares it that checks no sizes. */
class LaxPair extends Model.Service<LaxPair>()(key, [
  Rpc.make("pair", {
    payload: { id: Schema.String, two: Tensor.schema("uint8", ["n"]) },
    success: Tensor.schema("uint8", ["n"])
  })
]) {}

/** Calls a service through a layer of its own, which is released afterwards; a layer that fails is a call that does. */
const through = <Self, Shape, A, E>(
  service: Effect.Effect<Shape, never, Self>,
  layer: Layer.Layer<Self, unknown>,
  use: (service: Shape) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, unknown, Scope.Scope> => Effect.provide(Effect.flatMap(service, use), layer)

/** A call that has to be refused soon, once its place is there: a process takes its time to start. */
const refused = Expect.endsSoon("the refusal")

/** A location that compares contracts when a caller connects may say how they differ in an error of its own. */
const mismatch = Effect.fnUntraced(function*<A, E, R>(method: string, call: Effect.Effect<A, E, R>) {
  const error: unknown = yield* Expect.failureOf(call, "ContractMismatch")
  if (error instanceof ServiceError.ServiceError || !isNamed(error)) {
    yield* Expect.reasonOf(Effect.fail(error), "ContractMismatch")
  }
  const named = isNamed(error) ? `${error.service}.${error.method}` : ""
  yield* Expect.same(`${key}.${method}`, named, "the method that the error names")
})

const isNamed = (error: unknown): error is { readonly service: string; readonly method: string } =>
  typeof error === "object" && error !== null && "service" in error && typeof error.service === "string" &&
  "method" in error && typeof error.method === "string"

const refusesChangedPayload = ({ location }: Place) =>
  Effect.flatMap(
    Expect.newId,
    (id) =>
      mismatch(
        "greet",
        through(Changed, location.connect(Changed), (probe) => refused(probe.greet({ id, name: { first: "x" } })))
      )
  )

const refusesChangedResult = ({ location }: Place) =>
  mismatch(
    "double",
    through(ChangedResult, location.connect(ChangedResult), (probe) => refused(probe.double({ n: 1 })))
  )

const refusesUnknownMethod = ({ location }: Place) =>
  mismatch("vanished", through(Added, location.connect(Added), (probe) => refused(probe.vanished())))

const refusesStream = ({ location }: Place) =>
  mismatch(
    "double",
    through(Streaming, location.connect(Streaming), (probe) => refused(Stream.runDrain(probe.double({ n: 1 }))))
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
  yield* sawNothing(place, id)
})

const refusesStreamPayload = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  yield* Expect.reasonOf(Stream.runDrain(place.probe.count({ id, to: 0.5 })), "InvalidPayload")
  yield* sawNothing(place, id)
})

const three = Tensor.make("uint8", [3], Uint8Array.of(1, 2, 3))

const refusesTensor = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  const reason = yield* Expect.reasonOf(place.probe.pair({ id, two: three }), "InvalidPayload")
  yield* Expect.holds(reason.message.includes("two"), "a message that names the field", reason.message)
  yield* sawNothing(place, id)
})

const sawNothing = (place: Place, id: string) =>
  Effect.flatMap(
    Sightings.all(place, id),
    ({ events }) => Expect.same([], events, "what the handler has seen of a payload that does not fit")
  )

/** The caller's contract lets it pass: the replica refuses it, as a payload or as a contract that differs. */
const isRefusedThere = Effect.fnUntraced(function*<A, E, R>(call: Effect.Effect<A, E, R>) {
  const error = yield* Expect.failureOf(call, "InvalidPayload")
  yield* Effect.catchTag(
    Expect.reasonOf(Effect.fail(error), "InvalidPayload"),
    "Broken",
    () => Expect.reasonOf(Effect.fail(error), "ContractMismatch")
  )
})

const refusesPayloadThere = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  yield* isRefusedThere(through(Lax, place.location.connect(Lax), (probe) => refused(probe.greet({ id, name: "" }))))
  yield* sawNothing(place, id)
})

const refusesTensorThere = Effect.fnUntraced(function*(place: Place) {
  const id = yield* Expect.newId
  yield* isRefusedThere(
    through(LaxPair, place.location.connect(LaxPair), (probe) => refused(probe.pair({ id, two: three })))
  )
  yield* sawNothing(place, id)
})

/** More than any connect timeout that a caller would wait for. */
const patience = Duration.seconds(20)

const isUnavailable = (which: "refusing" | "silent") => ({ location }: Place) => {
  const connect = location[which] ?? location.connect
  const call = through(Probe, connect(Probe), (probe) => probe.double({ n: 1 }))
  return Expect.endsSoon("Unavailable", patience)(Expect.reasonOf(call, "Unavailable"))
}

export const laws: ReadonlyArray<Law> = [
  contract("a payload of another type is ContractMismatch, naming the method", refusesChangedPayload, ["skew"]),
  contract("a result of another type is ContractMismatch, naming the method", refusesChangedResult, ["skew"]),
  contract("a method that the replica lacks is ContractMismatch, naming the method", refusesUnknownMethod, ["skew"]),
  contract("a stream where the replica has none is ContractMismatch, naming the method", refusesStream, [
    "skew",
    "streams"
  ]),
  contract("a contract with an optional field and a method more is served", takesEvolved, ["skew", "evolution"]),
  contract("a caller with another contract disturbs no other", goesOnBeside, ["skew"]),
  contract("a payload that does not fit is InvalidPayload before its handler starts", refusesPayload, ["checks"]),
  contract(
    "the payload of a stream that does not fit is InvalidPayload before its producer starts",
    refusesStreamPayload,
    [
      "checks",
      "streams"
    ]
  ),
  contract("a tensor that does not fit is InvalidPayload before its handler starts", refusesTensor, ["tensors"]),
  contract("a payload that only the replica refuses does not reach its handler", refusesPayloadThere, [
    "skew",
    "checks"
  ]),
  contract("a tensor that only the replica refuses does not reach its handler", refusesTensorThere, [
    "skew",
    "tensors"
  ]),
  address("an address where nothing listens is Unavailable", isUnavailable("refusing"), ["refusing"]),
  address("an address that says nothing is Unavailable", isUnavailable("silent"), ["silent"])
]
