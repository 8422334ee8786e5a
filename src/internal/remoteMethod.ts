/** The caller's side of one method over a hop. */
import {
  Cause,
  Effect,
  type Fiber,
  References,
  SchemaIssue,
  SchemaParser,
  type Scope,
  Stream,
  type Tracer
} from "effect"
import { RpcClientError, type RpcSerialization } from "effect/rpc"
import * as ServiceError from "../ServiceError.ts"
import * as Answer from "./answer.ts"
import * as CallHeaders from "./callHeaders.ts"
import * as CallMetrics from "./callMetrics.ts"
import * as Compiled from "./compiled.ts"
import { type Definition, errorSchema, streamRpc } from "./contract.ts"
import * as ContractMatch from "./contractMatch.ts"
import * as Deadlines from "./deadline.ts"
import * as Payload from "./payload.ts"
import { streamFields } from "./payloadStream.ts"
import type * as StreamMessage from "./streamMessage.ts"
import * as StreamSender from "./streamSender.ts"
import type * as UnaryClient from "./unaryClient.ts"

/** What the client of Effect's RPC offers for all methods: a request by its tag, with a payload that is encoded. */
export type RpcCall = (
  tag: string,
  payload: unknown,
  options: { readonly headers: ReadonlyArray<[string, string]> }
) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

type Failure = ServiceError.ServiceError

/** How the methods of a service are called over one transport. */
export interface Transport {
  readonly codecFor: RpcSerialization.CodecFor
  readonly call: UnaryClient.Call
  readonly callStream: RpcCall
  /** What it means for a call that the transport failed. */
  readonly toReason: (failure: RpcClientError.RpcClientError["reason"]) => ServiceError.Reason
}

/** The function of a method that is answered elsewhere. */
export const make = (
  service: string,
  method: Definition,
  transport: Transport
): Effect.Effect<
  (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>,
  never,
  Scope.Scope
> =>
  Effect.map(CallMetrics.make(service, method.name), (begin) => {
    const edge = { ...edgeOf(service, method, transport), begin }
    return method.stream ? streamMethod(edge, transport.callStream) : effectMethod(edge, transport.call)
  })

type Edge = ReturnType<typeof edgeOf> & { readonly begin: CallMetrics.Begin }

/** What both kinds of methods do with what they send and what comes back. */
const edgeOf = (service: string, method: Definition, { call, codecFor, toReason }: Transport) => {
  const fail = (reason: ServiceError.Reason) => new ServiceError.ServiceError({ service, method: method.name, reason })
  const mismatch = (what: string) => (issue: SchemaIssue.Issue): Failure =>
    fail(new ServiceError.ContractMismatch({ detail: `${what} does not fit: ${formatIssue(issue)}` }))
  const check = Payload.check(service, method)
  const encode = Compiled.encoderOfChecked(codecFor(method.payload))
  const refuse = Payload.refusal(service, method.name)
  const decodeValue = Compiled.decoder(codecFor(method.success))
  const decodeError = SchemaParser.decodeUnknownEffect(codecFor(errorSchema(method)))
  const misfit = mismatch("the result")
  const contract = ContractMatch.makeCaller(method)
  const streams = streamFields(method.payload)
  const depart = streams.size === 0 ? withoutStreams : StreamSender.depart(streams, codecFor, refuse)
  const toError = (error: unknown): Effect.Effect<unknown, Failure> =>
    error instanceof ServiceError.ServiceError
      ? Effect.succeed(error)
      : error instanceof RpcClientError.RpcClientError
      ? Effect.succeed(fail(toReason(error.reason)))
      : Effect.mapError(decodeError(error), mismatch("the error"))
  const push = (message: StreamMessage.Message): Effect.Effect<boolean, unknown> =>
    Effect.matchEffect(call(streamRpc._tag, message, []), {
      onSuccess: (goesOn) => Effect.succeed(goesOn === true),
      onFailure: (error) => Effect.flatMap(toError(error), (failure) => Effect.fail(ownFailure(failure)))
    })
  /** A failure to send the streams of a call is one of the call. */
  const ownFailure = (failure: unknown) => failure instanceof ServiceError.ServiceError ? fail(failure.reason) : failure
  const unknownTag = `Unknown request tag: ${service}/${method.name}`
  return {
    name: `${service}.${method.name}`,
    tag: `${service}/${method.name}`,
    /** The headers of a call. */
    headers: (fiber: AnyFiber, span: Tracer.Span | undefined) => CallHeaders.write(fiber, contract.fingerprint(), span),
    agree: (differs: ContractMatch.Differs): Effect.Effect<void, Failure> =>
      Effect.mapError(contract.agree(differs), fail),
    /** The payload as it travels, and what sends the streams in it while the call runs. */
    prepare: (payload: unknown): Effect.Effect<Prepared, Failure> =>
      Effect.flatMapEager(check(payload), (valid) => {
        const { payload, send } = depart(valid)
        const sending = send?.(push)
        return Effect.mapBothEager(encode(payload), {
          onFailure: refuse,
          onSuccess: (encoded) => ({ encoded, sending })
        })
      }),
    decodeValue: (encoded: unknown): Effect.Effect<unknown, Failure> =>
      Effect.mapErrorEager(decodeValue(encoded), misfit),
    /** What the call fails with, given what the RPC client failed with. */
    toError,
    /** The RPC server answers a method that it does not have with a defect. */
    noAnswer: (cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> => {
      const defect = cause.reasons.find(Cause.isDieReason)?.defect
      return defect === unknownTag || defect instanceof Error && defect.message === unknownTag
        ? Effect.fail(fail(new ServiceError.ContractMismatch({ detail: "the replica has no such method" })))
        : Effect.failCause(cause)
    },
    deadlines: { effect: Deadlines.forEffect(service, method.name), stream: Deadlines.forStream(service, method.name) }
  }
}

/** A payload as it travels. */
interface Prepared {
  readonly encoded: unknown
  /** Never succeeds; to be interrupted when the call ends. */
  readonly sending: Effect.Effect<never, unknown> | undefined
}

const withoutStreams = (
  payload: unknown
): { readonly payload: unknown; readonly send?: StreamSender.Departed["send"] } => ({ payload })

const formatIssue = SchemaIssue.makeFormatterDefault()

/** A replica whose contract changes between two tries is being replaced, again and again. */
const maxTries = 3

const effectMethod = (edge: Edge, call: UnaryClient.Call) => {
  const request = (
    fiber: AnyFiber,
    encoded: unknown,
    span: Tracer.Span | undefined,
    receive: (answer: unknown) => Effect.Effect<unknown, unknown>,
    tries = 1
  ): Effect.Effect<unknown, unknown> =>
    Effect.matchCauseEffect(call(edge.tag, encoded, edge.headers(fiber, span)), {
      onSuccess: receive,
      onFailure: (cause) => {
        const failure = cause.reasons.find(Cause.isFailReason)
        if (failure === undefined) return edge.noAnswer(cause)
        const { error } = failure
        return ContractMatch.isDiffers(error) && tries < maxTries
          ? Effect.flatMap(edge.agree(error), () => request(fiber, encoded, span, receive, tries + 1))
          : Effect.flatMap(edge.toError(error), Effect.fail)
      }
    })
  const decode = (answer: unknown) => edge.decodeValue(Answer.isAnswer(answer) ? answer.value : answer)
  const decodeIn = (stages: Stages) => (answer: unknown) => {
    stages.answered(answer)
    return Effect.tap(decode(answer), () => Effect.sync(() => stages.decoded()))
  }
  const send = (fiber: AnyFiber, payload: unknown, span: Tracer.Span | undefined) => {
    const stages = span?.sampled === true ? new Stages(span) : undefined
    return Effect.flatMapEager(edge.prepare(payload), ({ encoded, sending }) => {
      stages?.sent()
      const answer = request(fiber, encoded, span, stages === undefined ? decode : decodeIn(stages))
      return sending === undefined ? answer : Effect.raceFirst(answer, sending)
    })
  }
  const run = (fiber: AnyFiber, payload: unknown, span: Tracer.Span | undefined) => {
    let end: CallMetrics.End | undefined
    return Effect.onExitPrimitive(
      Effect.suspend(() => {
        end = edge.begin(fiber)
        return edge.deadlines.effect(fiber, send(fiber, payload, span))
      }),
      (exit) => end?.(exit)
    )
  }
  return (payload: unknown) =>
    Effect.withFiber((fiber) =>
      fiber.getRef(References.TracerEnabled)
        ? Effect.useSpan(edge.name, spanOptions, (span) => run(fiber, payload, span))
        : run(fiber, payload, undefined)
    )
}

const streamMethod = (edge: Edge, call: RpcCall) => {
  const receive = (fiber: AnyFiber, encoded: unknown, tries = 1): Stream.Stream<unknown, unknown> =>
    // A streaming method is called as a stream.
    (call(edge.tag, encoded, { headers: edge.headers(fiber, undefined) }) as Stream.Stream<unknown, unknown>).pipe(
      Stream.mapEffect(edge.decodeValue),
      Stream.catch((error) =>
        ContractMatch.isDiffers(error) && tries < maxTries
          ? Stream.unwrap(Effect.map(edge.agree(error), () => receive(fiber, encoded, tries + 1)))
          : Stream.fromEffect(Effect.flatMap(edge.toError(error), Effect.fail))
      ),
      Stream.catchCause((cause) => Stream.fromEffect(edge.noAnswer(cause)))
    )
  const run = (payload: unknown): Stream.Stream<unknown, unknown> => {
    let end: CallMetrics.End | undefined
    const answer = Effect.withFiber((fiber) => {
      end = edge.begin(fiber)
      return Effect.map(edge.prepare(payload), ({ encoded, sending }) => {
        const items = receive(fiber, encoded)
        return edge.deadlines.stream(fiber, sending === undefined ? items : Stream.interruptWhen(items, sending))
      })
    })
    return Stream.onExit(Stream.unwrap(answer), (exit) => Effect.sync(() => end?.(exit)))
  }
  return (payload: unknown) => Stream.suspend(() => run(payload)).pipe(Stream.withSpan(edge.name, streamSpanOptions))
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

const spanOptions = { kind: "client" } as const

const streamSpanOptions = { kind: "client", captureStackTrace: false } as const

/** The parts of a call as attributes of its span, in milliseconds. */
class Stages {
  private readonly span: Tracer.Span
  private at = performance.now()

  constructor(span: Tracer.Span) {
    this.span = span
  }

  sent() {
    this.span.attribute("chorale.encode_ms", this.lap())
  }

  answered(answer: unknown) {
    const waited = this.lap()
    const times = Answer.isAnswer(answer) ? answer.times : undefined
    if (times === undefined) return
    this.span.attribute("chorale.execute_ms", times.execute)
    this.span.attribute("chorale.transport_ms", Math.max(0, waited - times.decode - times.execute - times.encode))
  }

  decoded() {
    this.span.attribute("chorale.decode_ms", this.lap())
  }

  private lap() {
    const before = this.at
    this.at = performance.now()
    return this.at - before
  }
}
