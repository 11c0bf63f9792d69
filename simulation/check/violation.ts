/** Something that must always hold did not. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Which promise was broken, as a stable word. */
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(message);
    this.invariant = invariant;
  }
}
