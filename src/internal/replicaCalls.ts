/** The methods of a service whose calls are spread over replicas. */
import { Cause, Context, Duration, Effect, type Exit, type Fiber, References, Stream } from "effect"
import type * as Model from "../Model.ts"
import * as ServiceError from "../ServiceError.ts"
import { type Balancer, type Call, makeCall, type Replica } from "./balancer.ts"
import * as Deadlines from "./deadline.ts"
import type { Outcome } from "./replicaHealth.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>
type AnyBalancer = Balancer<Model.AnyClient>
type AnyReplica = Replica<Model.AnyClient>

export const make = (
  service: Model.Any,
  balancer: AnyBalancer,
  /** Why there is no replica, for a call that is refused because of it. */
  whyDown: () => string
): Model.AnyClient => {
  const client: Record<string, Model.AnyClient[string]> = {}
  for (const { name, stream } of service.methods.values()) {
    const method: Method = {
      service: service.key,
      name,
      balancer,
      refusal: refusalOf(service.key, name, whyDown),
      deadline: Deadlines.forEffect(service.key, name)
    }
    client[name] = stream ? streamMethod(method) : effectMethod(method)
  }
  return client
}

interface Method {
  readonly service: string
  readonly name: string
  readonly balancer: AnyBalancer
  readonly refusal: (call: AnyCall) => ServiceError.ServiceError
  readonly deadline: ReturnType<typeof Deadlines.forEffect>
}

type AnyCall = Call<Model.AnyClient>
/** What is done with a replica, for which the call has waited so many milliseconds if it had to. */
type Run<A> = (replica: AnyReplica, waited: number | undefined) => A
type Attributes = Readonly<Record<string, unknown>>

const effectMethod = (method: Method) => (payload: unknown): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const call: AnyCall = makeCall()
    return Effect.onExitPrimitive(
      Effect.withFiber((fiber) =>
        find(method, fiber, call, (replica, waited) => {
          // The contract says which of the two a method returns; the erased types do not.
          const answer = replica.value[method.name]!(payload) as Effect.Effect<unknown, unknown>
          return fiber.getRef(References.TracerEnabled)
            ? Effect.provideService(answer, References.TracerSpanAnnotations, attributesOf(fiber, replica, waited))
            : answer
        })
      ),
      (exit) => {
        end(method, call, exit)
        return undefined
      }
    )
  })

const streamMethod = (method: Method) => (payload: unknown): Stream.Stream<unknown, unknown> =>
  Stream.suspend(() => {
    const call: AnyCall = makeCall()
    const stream = Effect.withFiber((fiber) =>
      find(method, fiber, call, (replica, waited) => {
        const attributes = attributesOf(fiber, replica, waited)
        return Effect.succeed(Stream.updateContext(
          // As above.
          replica.value[method.name]!(payload) as Stream.Stream<unknown, unknown>,
          (context: Context.Context<never>) => Context.add(context, References.TracerSpanAnnotations, attributes)
        ))
      })
    )
    return Stream.onExit(Stream.unwrap(stream), (exit) => Effect.sync(() => end(method, call, exit)))
  })

/** Goes on with a replica once there is one for the call. */
const find = <A>(
  method: Method,
  fiber: AnyFiber,
  call: AnyCall,
  run: Run<Effect.Effect<A, unknown>>
): Effect.Effect<A, unknown> => {
  const { balancer } = method
  balancer.enter(call)
  if (call.replica !== undefined) return run(call.replica, undefined)
  const since = balancer.now()
  const decided = Effect.callback<void>((resume) => {
    call.onDecided = () => resume(Effect.void)
    if (isDecided(call)) call.onDecided()
  })
  const wait: Effect.Effect<A, unknown> = Effect.suspend(() => {
    if (call.refusal !== undefined) return Effect.fail(method.refusal(call))
    // Between the moment at which a call got its replica and this one the replica may have ended.
    if (call.replica?.state === "gone") balancer.enterAgain(call)
    return call.replica === undefined
      ? Effect.andThen(method.deadline(fiber, decided), wait)
      : run(call.replica, balancer.now() - since)
  })
  return wait
}

const isDecided = (call: AnyCall) => call.replica !== undefined || call.refusal !== undefined

/** What the span of the call says besides what the spans of this fiber say anyway. */
const attributesOf = (fiber: AnyFiber, { name }: AnyReplica, waited: number | undefined): Attributes => {
  const present = fiber.getRef(References.TracerSpanAnnotations)
  return waited === undefined
    ? { ...present, "chorale.replica": name }
    : { ...present, "chorale.replica": name, "chorale.queue_ms": waited }
}

const refusalOf = (service: string, method: string, whyDown: () => string) => ({ refusal }: AnyCall) =>
  new ServiceError.ServiceError({
    service,
    method,
    reason: refusal === undefined || refusal === "down"
      ? new ServiceError.Unavailable({ detail: whyDown() })
      : new ServiceError.Overloaded({ retryAfter: Duration.millis(refusal.retryAfter) })
  })

const end = ({ balancer, service }: Method, call: AnyCall, exit: Exit.Exit<unknown, unknown>): void => {
  const { busyFor, outcome } = outcomeOf(service, exit)
  balancer.leave(call, outcome, busyFor)
}

/** What the end of a call tells of its replica: only a `ServiceError` of this very service can say something bad. */
const outcomeOf = (service: string, exit: Exit.Exit<unknown, unknown>): Verdict => {
  if (exit._tag === "Success") return answered
  const failure = exit.cause.reasons.find((reason) => !Cause.isInterruptReason(reason))
  if (failure === undefined) return { outcome: "unknown" }
  const error = Cause.isFailReason(failure) ? failure.error : undefined
  if (!(error instanceof ServiceError.ServiceError) || error.service !== service) return answered
  switch (error.reason._tag) {
    case "Unavailable":
      return { outcome: "unavailable" }
    case "Overloaded":
      return { outcome: "overloaded", busyFor: Duration.toMillis(error.reason.retryAfter) }
    case "DeadlineExceeded":
      return { outcome: "unknown" }
    default:
      return answered
  }
}

interface Verdict {
  readonly outcome: Outcome
  readonly busyFor?: number
}

const answered: Verdict = { outcome: "answered" }
