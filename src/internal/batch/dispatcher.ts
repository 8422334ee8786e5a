/**
 * Decides which calls run together, and when.
 *
 * An executor that is free takes what waits, once no call has arrived for a turn or two of the event loop. Everything here
 * is synchronous: a call is waiting, in a run, or answered, and never between the two.
 */
import { Duration, Exit, type Scheduler, type Tracer } from "effect"
import type * as Deadline from "../../Deadline.ts"
import { DeadlineExceeded, Overloaded, Unavailable } from "../../ServiceError.ts"
import * as CostModel from "./costModel.ts"
import { forecast, type Situation, type Underway } from "./forecast.ts"
import { type Hold, remaining } from "./hold.ts"
import * as Queue from "./queue.ts"

/** Why a call is not run. */
export type Refusal = Overloaded | DeadlineExceeded | Unavailable

/** One item that waits or runs, and whom its answer goes to. */
export interface Entry<Item, A, E> extends Queue.Waiting {
  readonly item: Item
  /** In milliseconds of the monotonic clock. */
  readonly arrived: number
  readonly deadline: Deadline.Deadline | undefined
  readonly span: Tracer.Span | undefined
  readonly answer: (exit: Exit.Exit<A, E | Refusal>) => void
  run: Run<Item, A, E> | undefined
}

/** Items that run together. */
export interface Run<Item, A, E> extends Underway {
  readonly entries: ReadonlyArray<Entry<Item, A, E>>
  /** How many of the answers somebody still waits for; an entry whose answer nobody waits for has no `run`. */
  wanted: number
  stop: () => void
}

/** How a run ended; one that failed or was stopped says less about what runs take. */
export type Ended = "succeeded" | "failed" | "stopped"

export interface Settings {
  readonly executors: number
  readonly limit: Queue.Limit
  readonly maxQueue: number
  readonly hold: Hold | undefined
}

export interface Environment<Item, A, E> {
  readonly now: () => number
  /** Its tasks run in the next turn of the event loop. */
  readonly turns: Scheduler.SchedulerDispatcher
  /** Calls back later, and returns how not to. */
  readonly timer: (millis: number, wake: () => void) => () => void
  /** Begins a run and sets its `stop`; `ended` is called when its executor is free again. */
  readonly begin: (run: Run<Item, A, E>) => void
  readonly onRefusal: (refusal: Refusal) => void
}

export interface Dispatcher<Item, A, E> {
  /** Takes all the parts of one call, or none and says why. */
  readonly submit: (entries: ReadonlyArray<Entry<Item, A, E>>) => Refusal | undefined
  /** The caller of an entry has gone. */
  readonly withdraw: (entry: Entry<Item, A, E>) => void
  /** At which time, in milliseconds of the monotonic clock, a run has ended and how. */
  readonly ended: (run: Run<Item, A, E>, how: Ended, time: number) => void
  /** From now on every call is `Unavailable`, and so are those that wait or run. */
  readonly close: () => void
  readonly load: () => Queue.Load
  readonly running: () => number
  readonly line: () => CostModel.Line | undefined
}

/**
 * The turns of the event loop without a call after which a free executor begins: fewer when the last run was of one,
 * because a caller who is alone would wait for nobody. Where it has also left nobody waiting, what is called together in
 * one step of the program runs together, and no turn is waited for.
 */
const quietTurns = { alone: 1, together: 2 }

/** The most milliseconds that a free executor waits for quiet. */
const longestGap = 1

const settled = Promise.resolve()

/** What a refused caller is told while nothing is known of how long a run takes. */
const unknownDelay = Duration.seconds(1)

export const make = <Item, A, E>(
  { executors, hold, limit, maxQueue }: Settings,
  { begin, now, onRefusal, timer, turns }: Environment<Item, A, E>
): Dispatcher<Item, A, E> => {
  type AnEntry = Entry<Item, A, E>
  type ARun = Run<Item, A, E>

  const queue = Queue.make<AnEntry>()
  const model = CostModel.make()
  const underway: Array<ARun> = []
  let closed: Unavailable | undefined
  let arrivals = 0

  const situation = (time: number): Situation => ({ now: time, executors, underway, limit, predict: model.predict })

  const refusalOf = (entries: ReadonlyArray<AnEntry>, first: AnEntry): Refusal | undefined => {
    if (closed !== undefined) return closed
    const { items } = queue.load()
    const free = executors - underway.length
    if (items >= maxQueue + free * limit.items) {
      const drained = forecast(situation(first.arrived), queue.ahead(-Infinity))
      return new Overloaded({
        retryAfter: drained === undefined ? unknownDelay : Duration.millis(Math.max(1, drained.start - first.arrived))
      })
    }
    if (first.deadline === undefined) return undefined
    const { at, budget } = first.deadline
    if (at <= first.arrived) return new DeadlineExceeded({ budget })
    // Where nothing waits or runs, a call with only an old estimate against it goes through, and brings a new one.
    const isIdle = items === 0 && underway.length === 0
    if (isIdle ? !model.isTrusted(first.arrived) : !model.isKnown()) return undefined
    const ahead = queue.ahead(first.priority)
    const cost = entries.reduce((sum, entry) => sum + entry.cost, ahead.cost)
    const answered = forecast(situation(first.arrived), { items: ahead.items + entries.length, cost })
    return answered !== undefined && answered.end > at ? new DeadlineExceeded({ budget }) : undefined
  }

  const isLate = (time: number) => {
    const trusted = model.isTrusted(time)
    return ({ cost, deadline }: AnEntry) =>
      deadline !== undefined &&
      (deadline.at <= time || (trusted && time + (model.predict(cost) ?? 0) > deadline.at))
  }

  let latestSize = 1
  let gathering = false
  let since = 0
  let seen = 0
  let quiet = 0

  const gather = () => {
    since = now()
    seen = arrivals
    quiet = 0
    if (gathering) return
    gathering = true
    turns.scheduleTask(turn, 0)
  }
  const gatherStep = () => {
    gathering = true
    void settled.then(step)
  }
  const step = () => {
    gathering = false
    dispatch(true)
  }
  const turn = () => {
    gathering = false
    if (!isFree()) return
    quiet = arrivals === seen ? quiet + 1 : 0
    seen = arrivals
    const enough = latestSize > 1 ? quietTurns.together : quietTurns.alone
    if (quiet < enough && now() - since < longestGap) {
      gathering = true
      return turns.scheduleTask(turn, 0)
    }
    dispatch(true)
  }

  /** Whether every free executor could be given as much as it takes. */
  const isPlenty = () => {
    const { cost, items } = queue.load()
    const free = executors - underway.length
    return free > 0 && (items >= free * limit.items || cost >= free * limit.cost)
  }

  let dispatching = false

  const isFree = () => underway.length < executors && queue.load().items > 0

  /**
   * Gives what waits to the executors that are free: as much as they take, or in equal shares once it is `quiet`.
   *
   * A run that ends at once, and callers that call again at once, come back here: the loop goes on for them.
   */
  const dispatch = (quiet: boolean) => {
    if (dispatching) return
    dispatching = true
    try {
      let due = quiet ? executors - underway.length : 0
      while (isFree() && (isPlenty() || due-- > 0)) {
        const wait = hold === undefined || isPlenty() ? 0 : remaining(hold, queue, now(), model.predict)
        if (wait > 0) return wakeIn(wait)
        launch()
      }
    } finally {
      dispatching = false
    }
    if (isFree() && !gathering) gather()
  }

  const launch = () => {
    const time = now()
    const share = Math.ceil(queue.load().items / (executors - underway.length))
    const items = Math.min(limit.items, Math.max(share, hold?.minSize ?? 1))
    const taken = queue.take({ items, cost: limit.cost }, isLate(time))
    if (taken.items.length > 0) {
      latestSize = taken.items.length
      const run: ARun = {
        entries: taken.items,
        cost: taken.cost,
        started: time,
        wanted: taken.items.length,
        stop: () => {}
      }
      for (const entry of run.entries) entry.run = run
      underway.push(run)
      begin(run)
    }
    for (const { answer, deadline } of taken.late) {
      if (deadline === undefined) continue
      const refusal = new DeadlineExceeded({ budget: deadline.budget })
      onRefusal(refusal)
      answer(Exit.fail(refusal))
    }
  }

  let wakeAt = Infinity
  let cancelWake = () => {}

  const wakeIn = (millis: number) => {
    const at = now() + millis
    if (at >= wakeAt) return
    cancelWake()
    wakeAt = at
    cancelWake = timer(millis, () => {
      wakeAt = Infinity
      dispatch(true)
    })
  }

  return {
    submit(entries) {
      const [first] = entries
      if (first === undefined) return undefined
      const refusal = refusalOf(entries, first)
      if (refusal !== undefined) {
        onRefusal(refusal)
        return refusal
      }
      for (const entry of entries) queue.add(entry)
      arrivals++
      if (underway.length === executors) return undefined
      if (isPlenty()) dispatch(false)
      else if (gathering) return undefined
      else if (latestSize === 1 && underway.length === 0) gatherStep()
      else gather()
      return undefined
    },
    withdraw(entry) {
      if (queue.remove(entry)) return
      const { run } = entry
      entry.run = undefined
      if (run !== undefined && --run.wanted === 0) run.stop()
    },
    ended(run, how, time) {
      underway.splice(underway.indexOf(run), 1)
      if (how === "succeeded") model.observe(run.cost, time - run.started, time)
      if (how === "stopped") model.observeStopped(run.cost, time - run.started, time)
      if (queue.load().items === 0) return
      if (isPlenty()) dispatch(false)
      else gather()
    },
    close() {
      const refusal = new Unavailable({ detail: "the batch was closed" })
      closed = refusal
      cancelWake()
      const waiting = [...queue]
      for (const entry of waiting) queue.remove(entry)
      const running = underway.flatMap(({ entries }) => entries)
      for (const { answer } of [...waiting, ...running]) answer(Exit.fail(refusal))
    },
    load: queue.load,
    running: () => underway.length,
    line: model.line
  }
}
