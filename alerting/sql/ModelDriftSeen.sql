-- statement: checks of each model's champion that failed when it was last looked at. The job looks every ten minutes.
SELECT model, sum(CASE WHEN grade = 'fail' THEN 1 ELSE 0 END)::DOUBLE AS value
FROM (
  SELECT model, grade FROM drift
  WHERE ts > dateadd('m', -25, now()) AND role = 'champion'
  LATEST ON ts PARTITION BY venue, model, feature, metric
)
