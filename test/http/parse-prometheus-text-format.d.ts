declare module "parse-prometheus-text-format" {
  /** What a text says. Of a histogram with several series it gives one. */
  export default function parse(text: string): ReadonlyArray<{
    readonly name: string
    readonly type: string
    readonly metrics: ReadonlyArray<{
      readonly labels?: Readonly<Record<string, string>>
      readonly value?: string
    }>
  }>
}
