/** A gRPC server whose methods are effects. */
import * as Grpc from "@grpc/grpc-js"
import { Cause, Context, Duration, Effect, Exit, Fiber, Option, type Scope, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"
import * as Deadline from "../Deadline.ts"
import * as Gate from "../http/gate.ts"
import * as Token from "../http/token.ts"
import * as CallContext from "../internal/callContext.ts"
import { ListenError } from "../node/Socket.ts"
import * as Call from "../openInference/call.ts"
import { invalid } from "../openInference/refusal.ts"
import type * as Calls from "./calls.ts"
import * as Protocol from "./protocol.ts"
import * as Status from "./status.ts"

export interface Options {
  readonly host: string
  readonly port: number
  readonly credentials: Grpc.ServerCredentials
  /** In bytes. */
  readonly maxMessageSize: number
  readonly concurrency: number
  readonly timeout: Duration.Duration | undefined
  readonly gracefulShutdownTimeout: Duration.Duration
  readonly isAuthorized: Token.IsAuthorized | undefined
}

/** Listens until the scope closes, and gives the port. */
export const listen = Effect.fnUntraced(function*(methods: Calls.Methods, stopping: Calls.Stopping, options: Options) {
  const running = new Set<Fiber.Fiber<unknown, unknown>>()
  // A call is part of its caller's trace, not of the span in which the server was built.
  const context = CallContext.ofLayer(yield* Effect.context<never>())
  const server = new Grpc.Server({
    "grpc.max_receive_message_length": options.maxMessageSize,
    "grpc.max_send_message_length": -1
  })
  const handle = handlerWith(context, running, options)
  const gate = new Gate.Gate(options.concurrency)
  server.addService(
    tolerant(Protocol.inferenceService),
    mapMethods(methods.inference, (method) => handle(method, gate))
  )
  server.addService(tolerant(Protocol.healthService), mapMethods(methods.health, (method) => handle(method, undefined)))
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Effect.sync(() => stopping.now = true), shutdown(server, running, options.gracefulShutdownTimeout))
  )
  return yield* bind(server, options)
})

const mapMethods = (
  methods: Readonly<Record<string, Calls.Method>>,
  handle: (method: Calls.Method) => Grpc.UntypedHandleCall
) => Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, handle(method)]))

/** What a call has in place of a message where its bytes are none. */
const unreadable = {}

/** The same service, which tells a handler of bytes that are no message: by itself, it says that the server failed. */
const tolerant = (service: Grpc.ServiceDefinition): Grpc.ServiceDefinition =>
  Object.fromEntries(
    Object.entries(service).map(([name, method]) => [name, {
      ...method,
      requestDeserialize: (bytes: Buffer) => {
        try {
          return method.requestDeserialize(bytes)
        } catch {
          return unreadable
        }
      }
    }])
  )

const bind = (
  server: Grpc.Server,
  { credentials, host, port }: Options
): Effect.Effect<number, ListenError, Scope.Scope> => {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`
  return Effect.callback((resume) => {
    server.bindAsync(address, credentials, (error, port) =>
      resume(
        error === null ? Effect.succeed(port) : Effect.fail(
          new ListenError({ address, reason: reasonOf(error.message), detail: error.message })
        )
      ))
  })
}

const reasonOf = (message: string) =>
  message.includes("EADDRINUSE") ? "AddressInUse" : message.includes("EACCES") ? "PermissionDenied" : "Other"

/** Takes no more calls, waits for those that run, and interrupts what is left, which answers all of them. */
const shutdown = (
  server: Grpc.Server,
  running: ReadonlySet<Fiber.Fiber<unknown, unknown>>,
  timeout: Duration.Duration
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => server.tryShutdown(() => resume(Effect.void))).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.andThen(Effect.suspend(() => Fiber.interruptAll(running)), Effect.sync(() => server.forceShutdown()))
    })
  )

const handlerWith = (
  context: Context.Context<never>,
  running: Set<Fiber.Fiber<unknown, unknown>>,
  { isAuthorized, timeout }: Options
) => {
  const runFork = Effect.runForkWith(context)
  const withTimeout = Call.withTimeout(timeout)
  /** With a gate, a method is one that asks for the token. */
  return (method: Calls.Method, gate: Gate.Gate | undefined): Grpc.handleUnaryCall<unknown, unknown> =>
  (
    call,
    respond
  ) => {
    if (call.request === unreadable) return respond(Status.toError(noMessage))
    if (gate !== undefined) {
      const refused = refuse(call, gate, isAuthorized)
      if (refused !== undefined) return respond(Status.toError(refused))
    }
    // The definition of the service says what its messages are.
    const answer = Effect.withFiber((fiber) => withTimeout(fiber, method(call.request as never)))
    const fiber = runFork(
      Effect.withFiber((fiber) => Effect.updateContext(answer, () => contextOf(fiber, call)))
    )
    running.add(fiber)
    call.on("cancelled", () => fiber.interruptUnsafe())
    fiber.addObserver((exit) => {
      running.delete(fiber)
      gate?.leave()
      if (!call.cancelled) respondWith(exit, respond)
    })
  }
}

const noMessage = Call.fromRefusal(invalid("the request is no message of this method"))

const refuse = (
  { metadata }: Grpc.ServerUnaryCall<unknown, unknown>,
  gate: Gate.Gate,
  isAuthorized: Token.IsAuthorized | undefined
): Call.Failure | undefined => {
  if (isAuthorized !== undefined && !isAuthorized(first(metadata, "authorization"))) {
    return Call.fromAnswer(Token.unauthorized)
  }
  return gate.enter() ? undefined : Call.fromAnswer(Gate.overloaded(gate))
}

const first = (metadata: Grpc.Metadata, key: string): string | undefined => {
  const [value] = metadata.get(key)
  return typeof value === "string" ? value : undefined
}

/** What a call carries: its deadline and its trace. */
const contextOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  call: Grpc.ServerUnaryCall<unknown, unknown>
): Context.Context<never> => {
  let result = fiber.context
  const left = Number(call.getDeadline()) - Date.now()
  if (Number.isFinite(left)) {
    result = Context.add(result, Deadline.Current, Deadline.fromNow(fiber, Duration.millis(Math.max(0, left))))
  }
  const traceparent = first(call.metadata, "traceparent")
  if (traceparent !== undefined) {
    const parent = HttpTraceContext.w3c(Headers.fromInput({ traceparent }))
    if (Option.isSome(parent)) result = Context.add(result, Tracer.ParentSpan, parent.value)
  }
  return result
}

const respondWith = (exit: Exit.Exit<unknown, Call.Failure>, respond: Grpc.sendUnaryData<unknown>): void => {
  if (Exit.isSuccess(exit)) return respond(null, exit.value)
  const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
  respond(Status.toError(failure ?? (Cause.hasDies(exit.cause) ? Call.defect : Call.stopping)))
}
