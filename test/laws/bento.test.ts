import { holdToLaws } from "./holdToLaws.ts"
import { bento } from "./remotes.ts"

holdToLaws("a BentoML server", bento)
