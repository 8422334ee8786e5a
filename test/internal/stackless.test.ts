import { assert, describe, it } from "@effect/vitest"
import { ServiceError } from "chorale"
import { Duration, Effect } from "effect"

const overloaded = () => new ServiceError.Overloaded({ retryAfter: Duration.seconds(1) })

describe("errors that are answers", () => {
  it("do not look for the place where they were made", () => {
    for (
      const error of [overloaded(), new ServiceError.ServiceError({ service: "s", method: "m", reason: overloaded() })]
    ) {
      assert.notMatch(error.stack ?? "", /\n\s+at /)
    }
  })

  it("leave all other errors as they are, also where their own fields do not fit", () => {
    const limit = Error.stackTraceLimit
    overloaded()
    assert.strictEqual(Error.stackTraceLimit, limit)
    // A program in JavaScript can give what the types forbid.
    const misuse = Effect.try(() => new ServiceError.Unavailable({ detail: 7 as unknown as string }))
    const { cause } = Effect.runSync(Effect.flip(misuse))
    assert.instanceOf(cause, Error)
    assert.match(cause.stack ?? "", /stackless\.test/)
    assert.strictEqual(Error.stackTraceLimit, limit)
  })
})
