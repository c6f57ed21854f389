@from := '{day}T09:00:00Z', @to := '{day}T09:11:00Z'
