import { assert, describe, it } from "@effect/vitest"
import { Ensemble } from "chorale"
import { Arbitrary, Effect, Exit, Fiber, Random, Schema } from "effect"
import { TestClock } from "effect/testing"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))

/** What a member does, and when; at 0 it does so without waiting. */
const Member = Schema.Struct({ at: Millis, does: Schema.Literals(["x", "y", "z", "fail", "hang"]) })
type Member = typeof Member.Type

const members = Arbitrary.array(Arbitrary.schema(Member), { minLength: 1, maxLength: 5 })

/** After 4 every member has ended that ever does; then what still runs is interrupted. */
const interruptedAt = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })))

type Ensembles = Readonly<Record<string, Effect.Effect<string, string>>>

const combinators: Readonly<Record<string, (members: Ensembles) => Effect.Effect<unknown, unknown>>> = {
  all: Ensemble.all,
  settled: Ensemble.settled,
  first: Ensemble.first,
  vote: Ensemble.vote,
  quorum: (members) => Ensemble.quorum(members, { count: Math.ceil(Object.keys(members).length / 2) }),
  hedge: (members) => Ensemble.hedge(Effect.suspend(() => members.m0 ?? Effect.never), { after: 1, attempts: 3 })
}

/** Runs an ensemble on a schedule, and gives how it ended and how many members ran at that moment and at most. */
const play = Effect.fnUntraced(function*(
  combinator: (members: Ensembles) => Effect.Effect<unknown, unknown>,
  schedule: ReadonlyArray<Member>,
  interruptedAt: number
) {
  let running = 0
  const member = ({ at, does }: Member): Effect.Effect<string, string> => {
    const outcome = does === "hang" ? Effect.never : does === "fail" ? Effect.fail("fail") : Effect.succeed(does)
    return Effect.suspend(() => {
      running++
      return at === 0 ? outcome : Effect.delay(outcome, at)
    }).pipe(Effect.ensuring(Effect.sync(() => running--)))
  }
  const record = Object.fromEntries(schedule.map((scheduled, index) => [`m${index}`, member(scheduled)]))
  let left = -1
  const fiber = yield* Effect.forkChild(
    Effect.ensuring(combinator(record), Effect.sync(() => (left = running))),
    { startImmediately: true }
  )
  yield* TestClock.adjust(interruptedAt)
  yield* Fiber.interrupt(fiber)
  return { exit: yield* Fiber.await(fiber), left }
})

/** The members in the order in which they end. */
const inTime = (schedule: ReadonlyArray<Member>) =>
  schedule.map((member, index) => ({ ...member, index })).filter(({ does }) => does !== "hang")
    .toSorted((a, b) => a.at - b.at || a.index - b.index)

const runs = { arbitrary: { runs: 1000 } }

describe("whatever its members do and whenever it is interrupted,", () => {
  for (const [name, combinator] of Object.entries(combinators)) {
    it.effect.prop(
      `${name} leaves no member running`,
      { members, interruptedAt },
      ({ interruptedAt, members }) =>
        Effect.map(play(combinator, members, interruptedAt), ({ left }) => assert.strictEqual(left, 0)),
      runs
    )
  }
})

describe("whatever its members do,", () => {
  it.effect.prop(
    "first gives the earliest answer",
    { members },
    ({ members }) =>
      Effect.map(play((members) => Ensemble.first(members), members, 5), ({ exit }) => {
        const winner = inTime(members).find(({ does }) => does !== "fail")
        if (winner !== undefined) assert.deepStrictEqual(exit, Exit.succeed(winner.does))
        else assert.strictEqual(Exit.hasInterrupts(exit), members.some(({ does }) => does === "hang"))
      }),
    runs
  )

  it.effect.prop(
    "vote gives the most frequent answer, and of several the one listed first",
    { members },
    ({ members }) =>
      Effect.map(play((members) => Ensemble.vote(members), members, 5), ({ exit }) => {
        if (members.some(({ does }) => does === "hang")) return assert.isTrue(Exit.hasInterrupts(exit))
        const answers = members.map(({ does }) => does).filter((does) => does !== "fail")
        const count = (answer: string) => answers.filter((other) => other === answer).length
        const most = Math.max(...answers.map(count))
        const value = answers.find((answer) => count(answer) === most)
        assert.strictEqual(Exit.isSuccess(exit), value !== undefined)
        if (Exit.isSuccess(exit)) {
          assert.deepStrictEqual(exit.value, {
            value,
            members: members.flatMap(({ does }, index) => does === value ? [`m${index}`] : []),
            support: most / members.length
          })
        }
      }),
    runs
  )

  it.effect.prop(
    "quorum gives the first answer that enough members have given",
    { members },
    ({ members }) =>
      Effect.map(
        play((members) => Ensemble.quorum(members, { count: Math.min(2, Object.keys(members).length) }), members, 5),
        ({ exit }) => {
          const count = Math.min(2, members.length)
          const ended = inTime(members)
          const last = ended.findIndex(({ does }, index) =>
            does !== "fail" && ended.slice(0, index + 1).filter((other) => other.does === does).length === count
          )
          if (last >= 0) {
            const agreed = ended.slice(0, last + 1).filter(({ does }) => does === ended[last]?.does)
            assert.deepStrictEqual(
              exit,
              Exit.succeed({
                value: ended[last]?.does,
                members: agreed.map(({ index }) => index).toSorted((a, b) => a - b).map((index) => `m${index}`)
              })
            )
          } else assert.isTrue(Exit.isFailure(exit))
        }
      ),
    runs
  )
})

describe("a mirror under random interruption", () => {
  const Call = Schema.Struct({
    takes: Millis,
    shadow: Member,
    leftAt: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))
  })

  it.effect.prop("gives every place back, and has no more shadows than places", {
    calls: Arbitrary.array(Arbitrary.schema(Call), { maxLength: 8 }),
    concurrency: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })))
  }, ({ calls, concurrency }) =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      let observed = 0
      const mirror = yield* Ensemble.makeMirror({ concurrency, onMirrored: () => Effect.sync(() => observed++) })
      const shadow = ({ at, does }: Member) =>
        Effect.suspend(() => {
          most = Math.max(most, ++running)
          return Effect.delay(
            does === "fail" ? Effect.fail(does) : does === "hang" ? Effect.die(does) : Effect.void,
            at
          )
        }).pipe(Effect.ensuring(Effect.sync(() => running--)))
      const fibers = yield* Effect.forEach(calls, (call) =>
        mirror.run(Effect.sleep(call.takes), shadow(call.shadow)).pipe(
          Effect.forkChild({ startImmediately: call.leftAt % 2 === 0 }),
          Effect.tap((fiber) =>
            Effect.delay(Fiber.interrupt(fiber), call.leftAt).pipe(Effect.forkChild)
          )
        ))
      yield* TestClock.adjust(20)
      for (const fiber of fibers) yield* Fiber.await(fiber)
      const { mirrored, running: left } = yield* mirror.counts
      assert.strictEqual(left, 0)
      assert.strictEqual(running, 0)
      assert.strictEqual(observed, mirrored)
      assert.isAtMost(most, concurrency)
    }).pipe(Effect.scoped, Random.withSeed("mirror")), runs)
})
