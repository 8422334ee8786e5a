/** The choice of a replica as a data structure, driven by hand and by chance. */
import { assert, describe, it } from "@effect/vitest"
import { Balancer, type Call, makeCall, type Options, type Replica } from "../../src/internal/balancer.ts"

interface World {
  now: number
  readonly draws: Array<number>
  readonly ejected: Array<string>
  readonly balancer: Balancer<string>
}

const make = (options: Partial<Options<string>> = {}): World => {
  const world = { now: 0, draws: new Array<number>(), ejected: new Array<string>() }
  const balancer = new Balancer<string>({
    maxInFlight: Infinity,
    maxQueue: 10,
    patience: 2000,
    eject: { after: 3, from: 1000, to: 30_000 },
    tryByCall: true,
    now: () => world.now,
    random: () => world.draws.shift() ?? 0,
    onWaiting: () => undefined,
    onUnavailable: () => undefined,
    onEjected: ({ name }) => world.ejected.push(name),
    onRestored: () => undefined,
    ...options
  })
  return Object.assign(world, { balancer })
}

const noLoad = () => ({ abandoned: 0, onFreed: () => undefined })

const add = ({ balancer }: World, ...names: ReadonlyArray<string>): ReadonlyArray<Replica<string>> =>
  names.map((name) => balancer.add(name, name, noLoad()))

const enter = ({ balancer }: World): Call<string> => {
  const call: Call<string> = makeCall()
  balancer.enter(call)
  return call
}

const nameOf = ({ replica }: Call<string>) => replica?.name

const fail = (world: World, times: number) => {
  for (let index = 0; index < times; index++) world.balancer.leave(enter(world), "unavailable")
}

describe("Balancer", () => {
  it("takes the one of two drawn replicas that has fewer calls", () => {
    const world = make()
    add(world, "a", "b", "c")
    world.draws.push(0, 0)
    assert.strictEqual(enter(world).replica?.name, "a")
    world.draws.push(0, 0)
    assert.strictEqual(enter(world).replica?.name, "b")
    world.draws.push(0.4, 0.9)
    assert.strictEqual(enter(world).replica?.name, "c")
    world.draws.push(0, 0.9)
    const fourth = enter(world)
    assert.strictEqual(nameOf(fourth), "a")
    world.balancer.leave(fourth, "answered")
    world.draws.push(0.4, 0)
    assert.strictEqual(enter(world).replica?.name, "b")
  })

  it("draws nothing where there is one replica", () => {
    const world = make({ random: () => assert.fail("it drew") })
    add(world, "a")
    assert.strictEqual(enter(world).replica?.name, "a")
  })

  it("spreads calls over ten replicas within two calls of each other", () => {
    let seed = 1
    const world = make({ random: () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 })
    const replicas = add(world, ..."abcdefghij")
    for (let index = 0; index < 1000; index++) enter(world)
    const loads = replicas.map(({ inFlight }) => inFlight)
    assert.isAtMost(Math.max(...loads) - Math.min(...loads), 5)
  })

  it("counts the calls that callers have given up", () => {
    const world = make({ maxInFlight: 1 })
    const load = noLoad()
    const replica = world.balancer.add("a", "a", load)
    const call = enter(world)
    load.abandoned = 1
    world.balancer.leave(call, "unknown")
    const next = enter(world)
    assert.isUndefined(next.replica)
    load.abandoned = 0
    world.balancer.freed(replica)
    assert.strictEqual(nameOf(next), "a")
  })

  it("finds the replica with room that the draw did not", () => {
    const world = make({ maxInFlight: 1 })
    add(world, "a", "b", "c")
    const names = [0, 0, 0].map(() => {
      world.draws.push(0, 0)
      return enter(world).replica?.name
    })
    assert.sameMembers(names, ["a", "b", "c"])
    assert.isUndefined(enter(world).replica)
  })

  it("refuses at exactly its capacity, and says how long the queue takes", () => {
    const world = make({ maxInFlight: 2, maxQueue: 3 })
    add(world, "a", "b")
    const calls = Array.from({ length: 4 }, () => enter(world))
    const waiting = Array.from({ length: 3 }, () => enter(world))
    assert.isTrue(calls.every(({ replica }) => replica !== undefined))
    assert.isTrue(waiting.every(({ refusal, replica }) => refusal === undefined && replica === undefined))
    assert.deepStrictEqual(enter(world).refusal, { retryAfter: 1000 })
    world.now = 100
    for (const call of calls) world.balancer.leave(call, "answered")
    enter(world)
    for (let index = 0; index < 3; index++) enter(world)
    assert.deepStrictEqual(enter(world).refusal, { retryAfter: Math.ceil(100 * 4 / 4) })
  })

  it("hands out slots in the order of the calls, and skips those that left", () => {
    const world = make({ maxInFlight: 1 })
    add(world, "a")
    const first = enter(world)
    const [second, third, fourth] = [enter(world), enter(world), enter(world)]
    world.balancer.leave(third, "unknown")
    world.balancer.leave(first, "answered")
    assert.strictEqual(nameOf(second), "a")
    assert.isUndefined(fourth.replica)
    world.balancer.leave(second, "answered")
    assert.strictEqual(nameOf(fourth), "a")
    assert.isUndefined(third.replica)
  })

  it("does not grow the stack where calls that waited end at once", () => {
    const world = make({ maxInFlight: 1, maxQueue: 50_000 })
    add(world, "a")
    const first = enter(world)
    let ended = 0
    for (let index = 0; index < 50_000; index++) {
      const call = enter(world)
      call.onDecided = () => {
        ended++
        world.balancer.leave(call, "answered")
      }
    }
    world.balancer.leave(first, "answered")
    assert.strictEqual(ended, 50_000)
  })

  it("ejects after failures in a row, tries once when the time is over, and doubles the time up to its limit", () => {
    const world = make({ eject: { after: 3, from: 1000, to: 3000 } })
    const [a] = add(world, "a", "b")
    const failOnA = (outcome: "answered" | "unavailable") => {
      world.draws.push(0, 0)
      const call = enter(world)
      assert.strictEqual(nameOf(call), "a")
      world.balancer.leave(call, outcome)
    }
    failOnA("unavailable")
    failOnA("unavailable")
    failOnA("answered")
    failOnA("unavailable")
    failOnA("unavailable")
    assert.strictEqual(a?.state, "ready")
    failOnA("unavailable")
    assert.strictEqual(a?.state, "ejected")
    assert.deepStrictEqual(world.ejected, ["a"])
    for (const time of [1000, 2000, 3000, 3000]) {
      world.now += time - 1
      assert.strictEqual(enter(world).replica?.name, "b")
      world.now += 1
      const trial = enter(world)
      assert.strictEqual(nameOf(trial), "a")
      assert.strictEqual(enter(world).replica?.name, "b")
      world.balancer.leave(trial, "unavailable")
    }
    world.now += 3000
    world.balancer.leave(enter(world), "answered")
    assert.strictEqual(a?.state, "ready")
    failOnA("unavailable")
    failOnA("unavailable")
    assert.strictEqual(a?.state, "ready")
  })

  it("ejects for twice as long where a replica fails again soon after it came back, and for the first time later", () => {
    for (const { pause, time } of [{ pause: 1000, time: 2000 }, { pause: 30_000, time: 1000 }]) {
      const world = make({ eject: { after: 1, from: 1000, to: 30_000 } })
      const [a] = add(world, "a", "b")
      fail(world, 1)
      world.now += 1000
      world.balancer.leave(enter(world), "answered")
      assert.strictEqual(a?.state, "ready")
      world.now += pause
      // It is the last of the ready ones now.
      world.draws.push(0.9)
      fail(world, 1)
      assert.strictEqual(a?.state, "ejected")
      assert.strictEqual((a?.health.ejectedUntil ?? 0) - world.now, time)
    }
  })

  it("tries an ejected replica again after as long, where a trial ended without an answer", () => {
    const world = make({ eject: { after: 1, from: 1000, to: 30_000 } })
    const [a] = add(world, "a", "b")
    fail(world, 1)
    world.now = 1000
    world.balancer.leave(enter(world), "unknown")
    world.now = 1999
    assert.strictEqual(enter(world).replica?.name, "b")
    world.now = 2000
    const trial = enter(world)
    assert.strictEqual(trial.replica, a)
  })

  it("counts failures on over calls that ended without an answer", () => {
    const world = make()
    const [a] = add(world, "a", "b")
    for (const outcome of ["unavailable", "unavailable", "unknown", "unavailable"] as const) {
      world.balancer.leave(enter(world), outcome)
    }
    assert.strictEqual(a?.state, "ejected")
  })

  it("does not eject for longer because of calls that failed where no other replica was left", () => {
    const world = make({ eject: { after: 1, from: 1000, to: 30_000 } })
    const [a, b] = add(world, "a", "b")
    fail(world, 1)
    if (b !== undefined) world.balancer.remove(b)
    world.now = 500
    fail(world, 5)
    assert.strictEqual(a?.health.ejectedUntil, 1000)
  })

  it("never ejects the last that is ready, and calls ejected ones where no other is left", () => {
    const world = make({ eject: { after: 1, from: 1000, to: 30_000 } })
    const [a, b] = add(world, "a", "b")
    fail(world, 1)
    assert.strictEqual(a?.state, "ejected")
    fail(world, 100)
    assert.strictEqual(b?.state, "ready")
    if (b !== undefined) world.balancer.remove(b)
    assert.strictEqual(enter(world).replica?.name, "a")
    assert.strictEqual(enter(world).replica?.name, "a")
  })

  it("leaves a replica that said it is full alone for its time, as long as another one has room", () => {
    const world = make({ maxInFlight: 2 })
    add(world, "a", "b")
    world.balancer.leave(enter(world), "overloaded", 500)
    const names = Array.from({ length: 4 }, () => enter(world).replica?.name)
    assert.deepStrictEqual(names, ["b", "b", "a", "a"])
  })

  it("finds the one that is not full where both that were drawn have said that they are", () => {
    const world = make()
    add(world, "a", "b", "c")
    for (const draw of [0, 0.4]) {
      world.draws.push(draw, draw)
      world.balancer.leave(enter(world), "overloaded", 500)
    }
    world.draws.push(0, 0)
    const first = enter(world)
    assert.strictEqual(nameOf(first), "c")
    world.now = 500
    world.draws.push(0, 0)
    const second = enter(world)
    assert.strictEqual(nameOf(second), "a")
  })

  it("lets no call overtake those that wait", () => {
    const world = make({ maxInFlight: 1, eject: { after: 1, from: 1000, to: 1000 } })
    add(world, "a", "b")
    fail(world, 1)
    enter(world)
    const waiting = enter(world)
    world.now = 1000
    const late = enter(world)
    assert.strictEqual(nameOf(waiting), "a")
    assert.isUndefined(nameOf(late))
  })

  it("wakes for a trial while calls wait", () => {
    const world = make({ maxInFlight: 1, eject: { after: 1, from: 1000, to: 1000 } })
    add(world, "a", "b")
    fail(world, 1)
    enter(world)
    assert.isUndefined(world.balancer.nextDue())
    const waiting = enter(world)
    assert.strictEqual(world.balancer.nextDue(), 1000)
    world.now = 1000
    world.balancer.wake()
    assert.strictEqual(nameOf(waiting), "a")
  })

  it("keeps calls waiting for its patience while there is no replica, from when the last one went", () => {
    const world = make({ maxInFlight: 1 })
    const [a] = add(world, "a")
    const running = enter(world)
    const waited = enter(world)
    world.now = 5000
    if (a !== undefined) world.balancer.remove(a)
    world.balancer.leave(running, "unavailable")
    world.now = 6000
    const late = enter(world)
    assert.strictEqual(world.balancer.nextDue(), 7000)
    world.now = 7000
    world.balancer.wake()
    assert.strictEqual(waited.refusal, "down")
    assert.isUndefined(late.refusal)
    add(world, "b")
    assert.strictEqual(nameOf(late), "b")
  })

  it("refuses at once where no replica will come", () => {
    const world = make()
    const waiting = enter(world)
    world.balancer.setHopeless(true)
    assert.strictEqual(waiting.refusal, "down")
    assert.strictEqual(enter(world).refusal, "down")
  })

  it("puts a call whose replica was gone before it began in front of those that wait", () => {
    const world = make({ maxInFlight: 1 })
    const [a] = add(world, "a")
    const first = enter(world)
    const second = enter(world)
    if (a !== undefined) world.balancer.remove(a)
    world.balancer.enterAgain(first)
    add(world, "b")
    assert.strictEqual(nameOf(first), "b")
    assert.isUndefined(second.replica)
    world.balancer.leave(first, "answered")
    assert.strictEqual(nameOf(second), "b")
  })

  it("tells when a draining replica works on nothing", () => {
    const world = make()
    const load = noLoad()
    const a = world.balancer.add("a", "a", load)
    const call = enter(world)
    let idle = 0
    world.balancer.drain(a, () => idle++)
    assert.isUndefined(enter(world).replica)
    load.abandoned = 1
    world.balancer.leave(call, "unknown")
    assert.strictEqual(idle, 0)
    load.abandoned = 0
    world.balancer.freed(a)
    assert.strictEqual(idle, 1)
  })
})

describe("Balancer under 10,000 random operations", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`loses no slot and no call, with seed ${seed}`, () => {
      const simulation = new Simulation(seed)
      simulation.run(10_000)
      assert.strictEqual(simulation.world.balancer.waiting, 0)
      assert.isAbove(simulation.world.ejected.length, 10)
    })
  }
})

/** Applies operations drawn by chance and compares what the balancer says with what has been done. */
class Simulation {
  readonly maxInFlight = 3
  readonly maxQueue = 8
  #state: number
  readonly world: World
  readonly present: Array<Replica<string>> = []
  gone: ReadonlyArray<Replica<string>> = []
  readonly calls: Array<Call<string>> = []

  constructor(seed: number) {
    this.#state = seed
    this.world = make({
      maxInFlight: this.maxInFlight,
      maxQueue: this.maxQueue,
      eject: { after: 2, from: 100, to: 1000 },
      random: () => this.random()
    })
  }

  random(): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state / 2_147_483_647
  }

  pick<T>(list: ReadonlyArray<T>): T | undefined {
    return list[Math.floor(this.random() * list.length)]
  }

  run(operations: number) {
    for (let index = 0; index < operations; index++) {
      this.step()
      this.check()
    }
    for (const call of this.calls.splice(0)) this.world.balancer.leave(call, "answered")
    for (const { inFlight } of [...this.present, ...this.gone]) assert.strictEqual(inFlight, 0)
  }

  step() {
    const { balancer } = this.world
    const dice = this.random()
    this.world.now += Math.floor(this.random() * 50)
    if (dice < 0.45) {
      const call = enter(this.world)
      if (call.refusal === undefined) this.calls.push(call)
    } else if (dice < 0.85) {
      const call = this.pick(this.calls)
      if (call === undefined) return
      this.calls.splice(this.calls.indexOf(call), 1)
      const outcome = this.pick(["answered", "answered", "unavailable", "overloaded", "unknown"] as const) ?? "answered"
      const replica = call.replica
      if (outcome === "unknown" && replica !== undefined && this.random() < 0.5) replica.load.abandoned++
      balancer.leave(call, outcome, 50)
    } else if (dice < 0.91) {
      const replica = this.pick([...this.present, ...this.gone].filter(({ load }) => load.abandoned > 0))
      if (replica === undefined) return
      replica.load.abandoned--
      balancer.freed(replica)
    } else if (dice < 0.94) {
      if (this.present.length < 4) this.present.push(balancer.add("x", "x", noLoad()))
    } else if (dice < 0.97) {
      const replica = this.pick(this.present)
      if (replica === undefined) return
      if (replica.state === "draining") balancer.keep(replica)
      else if (this.random() < 0.5) balancer.drain(replica, () => undefined)
      else this.remove(replica)
    } else {
      balancer.wake()
    }
  }

  remove(replica: Replica<string>) {
    this.world.balancer.remove(replica)
    this.present.splice(this.present.indexOf(replica), 1)
    this.gone = [...this.gone, replica]
    for (const call of this.calls) {
      if (call.replica === replica && this.random() < 0.3) this.world.balancer.enterAgain(call)
    }
  }

  check() {
    const { balancer } = this.world
    for (let index = this.calls.length - 1; index >= 0; index--) {
      if (this.calls[index]?.refusal !== undefined) this.calls.splice(index, 1)
    }
    const waiting = this.calls.filter(({ replica }) => replica === undefined)
    assert.strictEqual(balancer.waiting, waiting.length)
    for (const replica of [...this.present, ...this.gone]) {
      const mine = this.calls.filter((call) => call.replica === replica).length
      assert.strictEqual(replica.inFlight, mine)
      if (replica.state !== "gone") assert.isAtMost(mine + replica.load.abandoned, this.maxInFlight)
    }
    this.gone = this.gone.filter(({ inFlight, load }) => inFlight + load.abandoned > 0)
    const ready = this.present.filter(({ state }) => state === "ready")
    const free = ready.filter((replica) => replica.inFlight + replica.load.abandoned < this.maxInFlight)
    if (waiting.length > 0) assert.strictEqual(free.length, 0)
    assert.strictEqual(balancer.isDown, this.present.every(({ state }) => state === "draining"))
  }
}
