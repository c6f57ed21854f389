"""Secret stores; each follows the references of one scheme. Imported only where a setting refers to one."""
