/** What the handlers of one replica have seen, by the id of the call. */
import { Effect, Exit, Random, Stream } from "effect"
import type { Sighting } from "../Probe.ts"

interface Entry {
  readonly events: Array<string>
  produced: number
}

export interface Journal {
  /** Notes that a call starts, and how it ends. */
  readonly watch: (id: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Notes that a stream starts, each item that it produces, and how it ends. */
  readonly watchStream: (id: string) => <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  readonly read: (id: string) => Effect.Effect<typeof Sighting.Type>
}

export const make: Effect.Effect<Journal> = Effect.map(Random.nextIntBetween(0, 2 ** 48), (random) => {
  const replica = random.toString(36)
  const entries = new Map<string, Entry>()
  const entryOf = (id: string): Entry => {
    const known = entries.get(id)
    if (known !== undefined) return known
    const entry: Entry = { events: [], produced: 0 }
    entries.set(id, entry)
    return entry
  }
  const note = (id: string, event: string) => Effect.sync(() => entryOf(id).events.push(event))
  const noteEnd = (id: string) => <A, E>(exit: Exit.Exit<A, E>) => note(id, endOf(exit))
  return {
    watch: (id) => (self) => Effect.andThen(note(id, "started"), Effect.onExit(self, noteEnd(id))),
    watchStream: (id) => (self) =>
      Stream.unwrap(Effect.as(
        note(id, "started"),
        self.pipe(
          Stream.tap(() =>
            Effect.sync(() => {
              entryOf(id).produced++
            })
          ),
          Stream.onExit(noteEnd(id))
        )
      )),
    read: (id) =>
      Effect.sync(() => {
        const { events, produced } = entries.get(id) ?? { events: [], produced: 0 }
        return { replica, events: events.slice(), produced }
      })
  }
})

const endOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "succeeded" : Exit.hasInterrupts(exit) ? "interrupted" : "failed"
