/** Whether a server lives, and whether it takes calls. */
import { Context, Effect, type Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Readiness from "../Readiness.ts"
import * as Answer from "./answer.ts"

/** Set by a server that is about to stop, before it stops to listen. */
export interface Draining {
  now: boolean
}

/** The state of the server that requests come from; a server that does not tell is never draining. */
export const Draining: Context.Reference<Draining> = Context.Reference<Draining>("chorale/http/Draining", {
  defaultValue: () => ({ now: false })
})

/** Neither asks for a token, and neither waits for anything that a call waits for. */
export const paths = ["/livez", "/readyz"] as const

/** `/livez` looks at nothing else than the process; `/readyz` says what is missing. */
export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter> = HttpRouter.use(
  Effect.fnUntraced(function*(router) {
    const draining = yield* Draining
    const checks = yield* Readiness.Checks
    let stopped = false
    yield* Effect.addFinalizer(() => Effect.sync(() => stopped = true))
    const ready = Effect.suspend(() =>
      stopped || draining.now
        ? Effect.succeed(stopping)
        : Effect.map(Effect.provideService(Readiness.missing, Readiness.Checks, checks), answer)
    )
    yield* router.add("GET", "/livez", HttpServerResponse.jsonUnsafe({ status: "alive" }))
    yield* router.add("GET", "/readyz", ready)
  })
)

const ready = HttpServerResponse.jsonUnsafe({ status: "ready" })

const stopping = Answer.toResponse(Answer.failure(503, "Draining", "the server is stopping", { "retry-after": "1" }))

const answer = (missing: Readonly<Record<string, string>>) => {
  const names = Object.keys(missing)
  if (names.length === 0) return ready
  const failure = Answer.failure(503, "NotReady", `not ready: ${names.join(", ")}`, { "retry-after": "1" })
  return Answer.toResponse({ ...failure, body: { ...failure.body, missing } })
}
