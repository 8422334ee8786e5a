/** Adds a test for each law, tried on a location that is connected once; `leftOut` says why a law of a name is not. */
import { Laws } from "chorale/testing"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, describe, it } from "vitest"
import type { Location } from "./locations.ts"

export const holdToLaws = (name: string, location: Location, leftOut: Readonly<Record<string, string>> = {}): void => {
  const unknown = Object.keys(leftOut).find((other) => !Laws.all.some((law) => law.name === other))
  if (unknown !== undefined) throw new Error(`no law says: ${unknown}`)
  describe(`${name}`, () => {
    const scope = Scope.makeUnsafe()
    let place: Laws.Place | undefined

    beforeAll(async () => {
      place = await Effect.runPromise(Scope.provide(Effect.flatMap(location, Laws.open), scope))
    }, startAndStop)
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), startAndStop)

    for (const law of Laws.all) {
      // oxlint-disable-next-line vitest/expect-expect -- a law that is broken fails its test by itself
      it(`${law.number}: ${law.name}`, async (context) => {
        if (place === undefined) throw new Error("the location was not opened")
        const reason = leftOut[law.name] ?? Laws.notApplicable(law, place.location)
        if (reason !== undefined) context.skip(reason)
        await Effect.runPromise(Laws.run(law, place))
      })
    }
  })
}

/** Threads and processes take seconds to start on a busy machine. */
const startAndStop = 60_000
