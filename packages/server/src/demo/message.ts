/** What the page says after something was done, or why it could not be. */
export interface Message {
  tone: 'bad' | 'good' | 'plain';
  text: string;
}
