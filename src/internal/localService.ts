/** The methods of a service that is implemented in this process. */
import { Context, Effect, type Fiber, References, Stream, Tracer } from "effect"
import * as ServiceError from "../ServiceError.ts"
import * as CallContext from "./callContext.ts"
import * as CallMetrics from "./callMetrics.ts"
import type { Definition } from "./contract.ts"
import * as Deadlines from "./deadline.ts"
import * as Payload from "./payload.ts"
import { checkItems, streamFields } from "./payloadStream.ts"

/** Methods and handlers once their types are erased; `ServiceClass` states them again. */
type AnyMethod = (payload: unknown) => AnyEffect | AnyStream
type AnyEffect = Effect.Effect<unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown>

/** The functions that an implementation supplies, by method name. */
export type Handlers = Readonly<Record<string, AnyMethod>>

/** Puts around each handler what every call has: the check of its payload, its span, its context and its errors. */
export const make = (
  name: string,
  methods: ReadonlyMap<string, Definition>,
  build: Handlers | Effect.Effect<Handlers>
) =>
  Effect.gen(function*() {
    const services = Context.add(CallContext.ofLayer(yield* Effect.context<never>()), CallMetrics.Caller, name)
    const handlers = Effect.isEffect(build) ? yield* build : build
    const client: Record<string, AnyMethod> = {}
    for (const method of methods.values()) {
      const handler = handlers[method.name]!
      const begin = yield* CallMetrics.make(name, method.name)
      const edge = { service: name, method, services, begin }
      // The contract says which of the two a handler returns; the erased types do not.
      client[method.name] = method.stream
        ? streamMethod(edge, handler as (payload: unknown) => AnyStream)
        : effectMethod(edge, handler as (payload: unknown) => AnyEffect)
    }
    return client
  })

interface Edge {
  readonly service: string
  readonly method: Definition
  /** What the layer of the service was built with. */
  readonly services: Context.Context<never>
  readonly begin: CallMetrics.Begin
}

const effectMethod = ({ begin, method, service, services }: Edge, handler: (payload: unknown) => AnyEffect) => {
  const check = Payload.check(service, method)
  const attribute = attributeReason(service, method.name)
  const callContext = CallContext.make(services)
  const keepDeadline = Deadlines.forEffect(service, method.name)
  const name = `${service}.${method.name}`
  const run = (valid: unknown): AnyEffect => Effect.mapErrorEager(handler(valid), attribute)
  const pass = passStreams(service, method)
  const isTraced = tracedBy(services)
  const enter = (fiber: AnyFiber, answer: Answer, span: Tracer.Span | undefined): AnyEffect => {
    const caller = fiber.context
    let end: CallMetrics.End | undefined
    return Effect.onExitPrimitive(
      Effect.withFiber(() => {
        end = begin(fiber)
        const own = callContext(caller)
        fiber.setContext(span === undefined ? own : Context.add(own, Tracer.ParentSpan, span))
        return keepDeadline(fiber, answer(caller))
      }),
      (exit) => {
        fiber.setContext(caller)
        return end?.(exit)
      }
    )
  }
  const call = (answer: Answer): AnyEffect =>
    Effect.withFiber((fiber) =>
      isTraced(fiber.context)
        ? Effect.useSpan(name, (span) => enter(fiber, answer, span))
        : enter(fiber, answer, undefined)
    )
  return Payload.withUnchecked(
    (payload: unknown): AnyEffect =>
      call((caller) => Effect.flatMapEager(check(payload), (valid) => run(pass(valid, caller)))),
    (payload: unknown): AnyEffect => call(() => run(payload))
  )
}

/** What a call does in the context of the service, given that of its caller. */
type Answer = (caller: Context.Context<never>) => AnyEffect

const streamMethod = ({ begin, method, service, services }: Edge, handler: (payload: unknown) => AnyStream) => {
  const check = Payload.check(service, method)
  const attribute = attributeReason(service, method.name)
  const callContext = CallContext.make(services)
  const span = `${service}.${method.name}`
  const run = (valid: unknown): AnyStream =>
    Stream.updateContext(Stream.mapError(handler(valid), attribute), callContext)
  const keepDeadline = Deadlines.forStream(service, method.name)
  const pass = passStreams(service, method)
  const call = (answer: (fiber: AnyFiber) => Effect.Effect<AnyStream, unknown>): AnyStream =>
    Stream.suspend(() => {
      let end: CallMetrics.End | undefined
      const items = Effect.withFiber((fiber) => {
        end = begin(fiber)
        return Effect.map(answer(fiber), (stream) => keepDeadline(fiber, stream))
      })
      return Stream.onExit(Stream.unwrap(items), (exit) => Effect.sync(() => end?.(exit)))
    }).pipe(Stream.withSpan(span, spanOptions))
  return Payload.withUnchecked(
    (payload: unknown): AnyStream =>
      call((fiber) => Effect.map(check(payload), (valid) => run(pass(valid, fiber.context)))),
    (payload: unknown): AnyStream => call(() => Effect.sync(() => run(payload)))
  )
}

/** Whether a call has a span: its caller says so, and where that says nothing, what the layer was built with. */
const tracedBy = (services: Context.Context<never>) => {
  const own = Context.get(services, References.TracerEnabled)
  return (caller: Context.Context<never>): boolean => Context.getOrUndefined(caller, References.TracerEnabled) ?? own
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** What becomes of the streams in a payload in the same process: they run in the context of the caller. */
const passStreams = (service: string, method: Definition) => {
  const streams = streamFields(method.payload)
  return streams.size === 0
    ? (payload: unknown) => payload
    : checkItems(streams, Payload.refusal(service, method.name))
}

const spanOptions = { captureStackTrace: false } as const

const attributeReason = (service: string, method: string) => (error: unknown) =>
  ServiceError.isReason(error) ? new ServiceError.ServiceError({ service, method, reason: error }) : error
