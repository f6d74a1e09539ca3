"""Links → QBO: claim what is due fairly across companies, push the difference, write back what QBO answered."""
