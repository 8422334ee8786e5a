import { assert, describe, it } from "@effect/vitest"
import * as CostModel from "../../../src/internal/batch/costModel.ts"
import { forecast } from "../../../src/internal/batch/forecast.ts"

/** Runs of at most 4 items or of a cost of 8, each of which takes 10 ms and 1 ms for each unit. */
const situation = {
  now: 100,
  executors: 2,
  underway: [{ started: 95, cost: 5 }, { started: 98, cost: 7 }],
  limit: { items: 4, cost: 8 },
  predict: (cost: number) => 10 + cost
}

describe("forecast", () => {
  it("starts a call with what waits before it, when the first executor is free", () => {
    assert.deepStrictEqual(forecast(situation, { items: 3, cost: 6 }), { start: 110, end: 126 })
  })

  it("gives the runs before it to the executors in turn", () => {
    assert.deepStrictEqual(forecast(situation, { items: 8, cost: 8 }), { start: 115, end: 129 })
    assert.deepStrictEqual(forecast(situation, { items: 12, cost: 12 }), { start: 124, end: 138 })
  })

  it("counts runs by cost where that fills them first", () => {
    assert.deepStrictEqual(forecast(situation, { items: 2, cost: 16 }), { start: 115, end: 133 })
  })

  it("takes a run that is later than was expected to end any moment", () => {
    assert.strictEqual(forecast({ ...situation, now: 200 }, { items: 1, cost: 1 })?.start, 200)
  })

  it("uses an executor that is free at once", () => {
    assert.deepStrictEqual(forecast({ ...situation, underway: [] }, { items: 1, cost: 2 }), { start: 100, end: 112 })
  })

  it("says nothing while no run has ended", () => {
    assert.isUndefined(forecast({ ...situation, predict: () => undefined }, { items: 1, cost: 1 }))
  })
})

describe("the line through what runs took", () => {
  const rounded = (line: CostModel.Line | undefined) =>
    line === undefined ? undefined : [Number(line.perUnit.toFixed(9)), Number(line.perRun.toFixed(9))]

  it("is that of least squares", () => {
    assert.deepStrictEqual(rounded(CostModel.fit([1, 2, 3, 4], [6, 5, 7, 10])), [1.4, 3.5])
  })

  it("lays all the time to the run where all cost the same", () => {
    assert.deepStrictEqual(rounded(CostModel.fit([4, 4, 4], [9, 10, 11])), [0, 10])
  })

  it("does not fall where larger runs were faster", () => {
    assert.deepStrictEqual(rounded(CostModel.fit([1, 10], [20, 10])), [0, 15])
  })

  it("does not begin below zero", () => {
    assert.deepStrictEqual(rounded(CostModel.fit([10, 20], [5, 15])), [0.7, 0])
  })

  it("is through the last 50", () => {
    const model = CostModel.make()
    for (let run = 0; run < 30; run++) model.observe(run, 1000, run)
    for (let run = 0; run < 50; run++) model.observe(run, 10 + run, run)
    assert.deepStrictEqual(rounded(model.line()), [1, 10])
  })

  it("learns of a run that was stopped only when it had taken longer than expected", () => {
    const model = CostModel.make()
    model.observe(1, 10, 0)
    model.observeStopped(1, 5, 1)
    assert.deepStrictEqual(rounded(model.line()), [0, 10])
    model.observeStopped(1, 30, 2)
    assert.deepStrictEqual(rounded(model.line()), [0, 20])
  })
})
