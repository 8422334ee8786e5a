/** The callee's side of one method over a hop. */
import { Context, Effect, type Fiber, SchemaIssue, SchemaParser, Stream, Tracer } from "effect"
import type { RpcSerialization } from "effect/rpc"
import * as ServiceError from "../ServiceError.ts"
import type { Answer } from "./answer.ts"
import * as CallHeaders from "./callHeaders.ts"
import * as Compiled from "./compiled.ts"
import { type Definition, errorSchema } from "./contract.ts"
import * as ContractMatch from "./contractMatch.ts"
import * as Payload from "./payload.ts"
import { streamFields } from "./payloadStream.ts"
import * as StreamReceiver from "./streamReceiver.ts"

/** Answers a request with a payload as it travels: once, or with a stream where the method has one. */
export type Handler<Answer = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>> = (
  payload: unknown,
  carried: CallHeaders.Carried
) => Answer

/** What all methods of a server share. */
export interface Transport {
  readonly codecFor: RpcSerialization.CodecFor
  /** Where the streams in payloads arrive. */
  readonly receiver: StreamReceiver.Receiver
}

/** The handler of a method whose service is at hand here; `run` is the function of that service. */
export const make = (
  service: string,
  method: Definition,
  { codecFor, receiver }: Transport,
  run: (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>
): Handler => {
  const edge = edgeOf(service, method, { codecFor, receiver })
  // The contract says which of the two a method returns; the erased types do not.
  return method.stream
    ? streamHandler(edge, Payload.trusting(run as (payload: unknown) => Stream.Stream<unknown, unknown>))
    : effectHandler(edge, Payload.trusting(run as (payload: unknown) => Effect.Effect<unknown, unknown>))
}

type Edge = ReturnType<typeof edgeOf>

const edgeOf = (service: string, method: Definition, { codecFor, receiver }: Transport) => {
  const decode = Compiled.decoder(codecFor(method.payload))
  const encodeValue = Compiled.encoder(codecFor(method.success))
  const encodeError = SchemaParser.encodeUnknownEffect(codecFor(errorSchema(method)))
  const refuse = Payload.refusal(service, method.name)
  const misfit = (what: string) => (issue: SchemaIssue.Issue) =>
    Effect.die(new TypeError(`${service}.${method.name}: ${what} does not fit the contract: ${formatIssue(issue)}`))
  const misfitOfValue = misfit("the result")
  const fail = (reason: ServiceError.Reason) => new ServiceError.ServiceError({ service, method: method.name, reason })
  const streams = streamFields(method.payload)
  return {
    differs: ContractMatch.makeReplica(method),
    decode: (payload: unknown): Effect.Effect<unknown, ServiceError.ServiceError> =>
      Effect.mapErrorEager(decode(payload), refuse),
    /** Puts the streams into a payload that carries some; it can be used until the scope closes. */
    arrive: streams.size === 0
      ? undefined
      : StreamReceiver.arrive(receiver, streams, codecFor, { refuse, fail }),
    encodeValue: (value: unknown): Effect.Effect<unknown> => Effect.catchEager(encodeValue(value), misfitOfValue),
    encodeError: (error: unknown): Effect.Effect<unknown> => Effect.catch(encodeError(error), misfit("the error"))
  }
}

const formatIssue = SchemaIssue.makeFormatterDefault()

const effectHandler = (
  edge: Edge,
  handler: (payload: unknown) => Effect.Effect<unknown, unknown>
): Handler<Effect.Effect<unknown, unknown>> => {
  const { arrive } = edge
  const run = arrive === undefined
    ? handler
    : (payload: unknown) => Effect.scoped(Effect.flatMap(arrive(payload), handler))
  const fail = (error: unknown) => Effect.flatMap(edge.encodeError(error), Effect.fail)
  const toAnswer = (value: unknown) => Effect.mapEager(edge.encodeValue(value), answerOf)
  const answer = (payload: unknown): Effect.Effect<Answer, unknown> =>
    Effect.matchEffect(Effect.flatMapEager(edge.decode(payload), run), { onSuccess: toAnswer, onFailure: fail })
  const answerTimed = (payload: unknown): Effect.Effect<Answer, unknown> =>
    Effect.suspend(() => {
      const start = performance.now()
      let decoded = start
      let executed = start
      return edge.decode(payload).pipe(
        Effect.flatMap((valid) => {
          decoded = performance.now()
          return run(valid)
        }),
        Effect.flatMap((value) => {
          executed = performance.now()
          return edge.encodeValue(value)
        }),
        Effect.map((value) => ({
          value,
          times: {
            decode: micros(decoded - start),
            execute: micros(executed - decoded),
            encode: micros(performance.now() - executed)
          }
        }))
      )
    })
  return (payload, carried) =>
    Effect.withFiber((fiber) => {
      const differs = edge.differs(carried.fingerprint)
      if (differs !== undefined) return Effect.fail(differs)
      const context = CallHeaders.read(fiber, carried, fiber.context)
      const answered = isTraced(context) ? Effect.catch(answerTimed(payload), fail) : answer(payload)
      return context === fiber.context ? answered : Effect.updateContext(answered, () => context)
    })
}

/** Milliseconds to the microsecond: more digits take longer to write than what they tell. */
const micros = (millis: number): number => Math.round(millis * 1000) / 1000

const answerOf = (value: unknown): Answer => ({ value })

const isTraced = (context: Context.Context<never>): boolean =>
  Context.getOrUndefined(context, Tracer.ParentSpan)?.sampled === true

const streamHandler =
  (edge: Edge, run: (payload: unknown) => Stream.Stream<unknown, unknown>): Handler => (payload, carried) => {
    const differs = edge.differs(carried.fingerprint)
    if (differs !== undefined) return Stream.fail(differs)
    const arrive = edge.arrive ?? Effect.succeed
    const answer = Effect.withFiber((fiber) =>
      Effect.map(Effect.flatMap(edge.decode(payload), arrive), (valid) => inCall(fiber, carried, run(valid)))
    )
    return Stream.unwrap(answer).pipe(
      Stream.mapEffect(edge.encodeValue),
      Stream.catch((error) => Stream.fromEffect(Effect.flatMap(edge.encodeError(error), Effect.fail)))
    )
  }

const inCall = (
  fiber: Fiber.Fiber<unknown, unknown>,
  carried: CallHeaders.Carried,
  stream: Stream.Stream<unknown, unknown>
) => Stream.updateContext(stream, (context: Context.Context<never>) => CallHeaders.read(fiber, carried, context))
