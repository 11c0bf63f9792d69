/** Marks on Stripe's objects: which installation made them, and for which project and customer. */

const INSTALLATION = 'tollgate_installation';
const PROJECT = 'tollgate_project';
const CUSTOMER = 'tollgate_customer';

/** Metadata whose names begin so is Tollgate's own; callers cannot set it. */
export const STAMP_PREFIX = 'tollgate_';

export interface Stamp {
  installation: string;
  projectId: string | null;
  /** Tollgate's own `cust_…`; set by hand it may be the app's own id of the customer. */
  customerId: string | null;
}

/** The metadata to put on an object that is made for a project, and for a customer of it. */
export function stamps(stamp: {
  installation: string;
  projectId: string;
  customerId?: string;
}): Record<string, string> {
  const { installation, projectId, customerId } = stamp;
  return {
    [INSTALLATION]: installation,
    [PROJECT]: projectId,
    ...(customerId === undefined ? {} : { [CUSTOMER]: customerId }),
  };
}

/** Null when the metadata carries none of the marks. An object marked by hand may lack the installation: it is ''. */
export function readStamps(metadata: Readonly<Record<string, string>> | null | undefined): Stamp | null {
  const installation = metadata?.[INSTALLATION] ?? '';
  const projectId = metadata?.[PROJECT] || null;
  const customerId = metadata?.[CUSTOMER] || null;
  if (installation === '' && projectId === null && customerId === null) return null;
  return { installation, projectId, customerId };
}
