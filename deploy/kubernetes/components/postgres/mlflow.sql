-- Run once, when the server's folder is empty.
CREATE DATABASE mlflow;
